/** One try to reach a server from this page, and what came of it. */

/** @typedef {import("./routes.js").Permission} Permission */
/** @typedef {import("./routes.js").Tried} Tried */
/** @typedef {{fetch: typeof fetch, setTimeout: (call: () => void, ms: number) => any, clearTimeout: (id: any) => void}} Network */

/** A server that is near answers within a few ms, one far away within some hundred. */
export const PROBE_MS = 2500;
/** A reader whom the browser asks first takes longer. */
export const ASKED_MS = 60_000;

/** Chrome 142 to 144 knew one permission; since 145 this computer has its own. */
const PERMISSIONS = ["loopback-network", "local-network-access"];

/**
 * Asks a server for its health. It never rejects.
 *
 * @param {string} base ends in `/`
 * @param {Record<string, string>} headers
 * @param {number} limitMs
 * @param {Network} network
 * @param {AbortSignal} signal
 * @returns {Promise<Tried>}
 */
export async function probe(base, headers, limitMs, network, signal) {
  const late = new AbortController();
  const timer = network.setTimeout(() => late.abort(), limitMs);
  const leave = () => late.abort();
  signal.addEventListener("abort", leave);
  try {
    return await answer(new URL("api/v1/stream/health", base), headers, network.fetch, late.signal);
  } catch {
    return late.signal.aborted ? { late: true } : {};
  } finally {
    network.clearTimeout(timer);
    signal.removeEventListener("abort", leave);
  }
}

/**
 * Whether the browser lets pages of this origin reach servers of this computer; it does not ask the reader.
 *
 * @param {Pick<Permissions, "query"> | undefined} permissions
 * @param {boolean} secure whether the page is one that could be allowed to
 * @returns {Promise<Permission>}
 */
export async function permissionOf(permissions, secure) {
  for (const name of PERMISSIONS) {
    try {
      const status = await permissions?.query({ name: /** @type {PermissionName} */ (name) });
      // A page of http is told "denied", also where its own address is no public one and the rule not applied.
      if (status) return secure ? status.state : "barred";
    } catch {
      // A browser that does not know the name throws.
    }
  }
  return "unknown";
}

/** @param {URL} url @param {Record<string, string>} headers @param {Network["fetch"]} get @param {AbortSignal} signal */
async function answer(url, headers, get, signal) {
  const init = /** @type {RequestInit} */ ({ cache: "no-store", credentials: "same-origin", signal });
  let response;
  try {
    response = await get(url, {
      ...init,
      headers: { Accept: "application/json", ...headers },
      redirect: "manual",
    });
  } catch (error) {
    if (signal.aborted) throw error;
    // Without CORS one only learns whether anything answers there.
    const hidden = await get(url, { ...init, mode: "no-cors" });
    return { hidden: hidden.type === "opaque" };
  }
  const { status, type } = response;
  const redirected = type === "opaqueredirect";
  const said = status === 200 ? await response.json().catch(() => null) : null;
  return { status, redirected, node: typeof said?.node === "string" ? said.node : "" };
}
