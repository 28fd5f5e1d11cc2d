/** How a page in Jupyter reaches the server: through the extension under Jupyter's own base, or at an address. */

/** @typedef {Pick<Document, "baseURI" | "cookie"> & {getElementById: (id: string) => {textContent: string | null} | null}} Page */
/**
 * @typedef {object} Server
 * @property {URL} base ends in `/`
 * @property {() => Record<string, string>} headers of every request
 */

/**
 * The extension of the Jupyter server that this page came from; null on a page that is none of Jupyter's.
 *
 * @param {Page} page
 * @returns {Server | null}
 */
export function extensionServer(page) {
  const { baseUrl, token } = pageConfig(page);
  if (typeof baseUrl !== "string") return null;
  return {
    base: new URL("sse-widget/", new URL(slashed(baseUrl), page.baseURI)),
    headers: () => ({
      "X-XSRFToken": cookie(page, "_xsrf"),
      ...(token ? { Authorization: `token ${token}` } : {}),
    }),
  };
}

/**
 * A server at an address of its own, which asks for a ticket.
 *
 * @param {string} url
 * @returns {Server}
 */
export function addressedServer(url) {
  return { base: new URL(slashed(url)), headers: () => ({}) };
}

/**
 * The URL of one route.
 *
 * @param {Server} server
 * @param {string} route below `api/v1/stream/`
 * @param {string} [ticket]
 */
export function routeUrl({ base }, route, ticket = "") {
  const url = new URL(`api/v1/stream/${route}`, base);
  if (ticket) url.searchParams.set("ticket", ticket);
  return url;
}

/**
 * JupyterLab 4 and Notebook 7 put it into every page.
 *
 * @param {Page} page
 * @returns {Record<string, unknown>}
 */
function pageConfig(page) {
  try {
    return Object(JSON.parse(page.getElementById("jupyter-config-data")?.textContent ?? "{}"));
  } catch {
    return {};
  }
}

/** @param {Page} page @param {string} name */
function cookie(page, name) {
  const pairs = page.cookie.split("; ").map((pair) => pair.split("="));
  const found = pairs.find(([key]) => key === name);
  const value = found?.slice(1).join("=") ?? "";
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** @param {string} url */
function slashed(url) {
  return url.endsWith("/") ? url : `${url}/`;
}
