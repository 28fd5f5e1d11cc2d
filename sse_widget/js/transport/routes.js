/** Which addresses a page may reach the server at, in order of preference, and what a failed try means. Pure. */

/** @typedef {"extension" | "url" | "proxy" | "colab" | "relay"} Route */
/**
 * Of the browser, for a page to reach this computer: `barred` may not even be asked for (by a page of http), and
 * `unknown` has a browser that knows no such rule.
 *
 * @typedef {"granted" | "denied" | "prompt" | "barred" | "unknown"} Permission
 */
/**
 * What decides; addresses end in `/`, and are empty where there is none.
 *
 * @typedef {object} Facts
 * @property {string} pageUrl
 * @property {string} jupyterUrl base of the Jupyter server that the page came from
 * @property {boolean} inJupyter whether the kernel's server is the extension of its Jupyter
 * @property {string} kernelUrl the server as the kernel names it
 * @property {boolean} colab whether the page is one of Colab's
 * @property {Permission} permission
 * @property {Route | "auto"} wanted
 */
/**
 * One way. `base` is empty when it is found out first, as Colab's; `refusal` says why no try is worth it.
 *
 * @typedef {{route: Route, base: string, refusal: string}} Rung
 */
/**
 * What came of asking a server for its health.
 *
 * @typedef {object} Tried
 * @property {number} [status] 0 without an answer
 * @property {boolean} [redirected]
 * @property {string} [node] which server answers; empty when it is none of ours
 * @property {boolean} [hidden] whether something answered that this page may not read
 * @property {boolean} [late]
 */

/**
 * Returns the ways worth a try, best first. localhost is the reader's computer, not the kernel's: a page from
 * elsewhere reaches the kernel's loopback server through what it came through itself, if at all.
 *
 * @param {Facts} facts
 * @returns {Rung[]}
 */
export function rungs(facts) {
  const { jupyterUrl, inJupyter, kernelUrl, colab, wanted } = facts;
  /** @type {Rung[]} */
  const known = [];
  if (inJupyter && jupyterUrl)
    known.push({ route: "extension", base: `${jupyterUrl}sse-widget/`, refusal: "" });
  const local = isLoopback(kernelUrl);
  const url = kernelUrl && { route: /** @type {Route} */ ("url"), base: kernelUrl, refusal: refusal(facts) };
  const port = local ? portOf(kernelUrl) : "";
  const proxy = jupyterUrl &&
    port && { route: /** @type {Route} */ ("proxy"), base: `${jupyterUrl}proxy/${port}/`, refusal: "" };
  const near = !local || !isElsewhere(facts.pageUrl);
  for (const rung of near ? [url, proxy] : [proxy, url]) if (rung) known.push(rung);
  if (colab && port) known.push({ route: "colab", base: "", refusal: "" });
  return wanted === "auto" ? known : known.filter(({ route }) => route === wanted).map(insisted);
}

/**
 * Returns why a try has failed, empty when it has not.
 *
 * @param {Rung} rung
 * @param {Tried} tried
 * @param {string} node the server that the kernel reads from
 * @param {Facts} facts
 */
export function verdict({ route, base }, tried, node, facts) {
  const { status = 0, redirected = false, hidden = false, late = false } = tried;
  if (late) return "probe_timeout";
  if (redirected || status === 401) return "login_required";
  if (status === 0) return unanswered(base, hidden, facts);
  if (status === 403) return route === "proxy" ? "proxy_refused" : "forbidden";
  if (status !== 200) return route === "proxy" ? "proxy_missing" : "no_server";
  // Another server of ours is still another one: of another kernel, or of the reader's own computer. Behind an address
  // far away several may share their runs.
  const same = tried.node === node || (route === "url" && !isLoopback(base));
  return tried.node && same ? "" : "other_server";
}

/**
 * Whether only the reader can let a page of this address reach a server at that one (Local Network Access).
 *
 * @param {string} pageUrl
 * @param {string} url
 */
export function needsPermission(pageUrl, url) {
  return isElsewhere(pageUrl) && isLoopback(url);
}

/** @param {Facts} facts */
function refusal({ pageUrl, kernelUrl, permission }) {
  if (pageUrl.startsWith("https:") && kernelUrl.startsWith("http:") && !isLoopback(kernelUrl))
    return "mixed_content";
  if (!needsPermission(pageUrl, kernelUrl)) return "";
  return { denied: "lna_denied", prompt: "lna_prompt" }[String(permission)] ?? "";
}

/** The reader who names a way is asked by the browser for it. @param {Rung} rung @returns {Rung} */
function insisted(rung) {
  return rung.refusal === "lna_prompt" ? { ...rung, refusal: "" } : rung;
}

/** @param {string} base @param {boolean} hidden @param {Facts} facts */
function unanswered(base, hidden, { pageUrl, permission }) {
  if (hidden) return "cors_refused";
  const ruled = permission !== "granted" && permission !== "unknown";
  return ruled && needsPermission(pageUrl, base) ? "lna_denied" : "unreachable";
}

/** @param {string} url */
function isLoopback(url) {
  const { hostname } = parsed(url);
  return /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

/** A page of the web that is not this computer's; an editor's webview has an address of its own kind. @param {string} url */
function isElsewhere(url) {
  return /^https?:$/.test(parsed(url).protocol) && !isLoopback(url);
}

/** @param {string} url */
function portOf(url) {
  const { port, protocol } = parsed(url);
  return port || (protocol === "https:" ? "443" : "80");
}

/** @param {string} url */
function parsed(url) {
  try {
    return new URL(url);
  } catch {
    return { protocol: "", hostname: "", port: "" };
  }
}
