/** What a page of Jupyter says of its server, and the URLs of our routes. */

/** @typedef {Pick<Document, "baseURI" | "cookie"> & {getElementById: (id: string) => {textContent: string | null} | null}} Page */
/**
 * @typedef {object} Server
 * @property {URL} base ends in `/`
 * @property {() => Record<string, string>} headers of every request
 */

/**
 * The base URL of the Jupyter server that this page came from, with a slash at its end; empty on any other page.
 *
 * @param {Page} page
 */
export function jupyterBase(page) {
  const { baseUrl } = pageConfig(page);
  return typeof baseUrl === "string" ? new URL(slashed(baseUrl), page.baseURI).href : "";
}

/**
 * What Jupyter asks of every request that this page sends below its base.
 *
 * @param {Page} page
 * @returns {Record<string, string>}
 */
export function extensionHeaders(page) {
  const { token } = pageConfig(page);
  return {
    "X-XSRFToken": cookie(page, "_xsrf"),
    ...(token ? { Authorization: `token ${token}` } : {}),
  };
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
