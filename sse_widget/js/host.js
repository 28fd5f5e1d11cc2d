/** The page that a widget is shown in, whichever notebook made it: its ways to the server, and what it keeps. */
import { isGone } from "./model.js";
import { Parts } from "./parts.js";
import { extensionHeaders, jupyterBase } from "./transport/jupyter.js";
import { Ladder } from "./transport/ladder.js";
import { platformOf } from "./transport/platform.js";
import { Relay } from "./transport/relay.js";
import { Store } from "./transport/store.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./parts.js").PartName} PartName */
/** @typedef {import("./transport/ladder.js").Found} Found */

/** So long a part waits for the kernel to name its server. */
const NAMED_WITHIN_MS = 3000;
/** Widgets are modules of their own each; what one of them loaded serves all. */
const LOADED = Symbol.for("sse-widget.parts");

/**
 * What a widget has of its page.
 *
 * @param {Model} model
 * @param {AbortSignal} signal
 */
export function hostOf(model, signal) {
  const platform = platformOf({});
  const store = new Store(() => sessionStorage);
  const send = (/** @type {Record<string, unknown>} */ message) => {
    if (isGone(model)) return false;
    try {
      model.send(message);
      return true;
    } catch {
      return false; // The comm was closed with its kernel.
    }
  };
  const relay = new Relay(send, platform.newKey(), signal);
  const ladder = new Ladder(() => question(model), {
    network: platform,
    permissions: globalThis.navigator?.permissions,
    secure: globalThis.isSecureContext === true,
    store,
    proxyPort: colab()?.proxyPort?.bind(colab()) ?? null,
    headers: (route) => (route === "extension" || route === "proxy" ? extensionHeaders(document) : {}),
    signal,
  });
  // A reload ends no signal, and the kernel would go on sending.
  addEventListener("pagehide", () => relay.leave(), { signal });
  const load = async (/** @type {PartName} */ name) => {
    await named(model, signal);
    return part(name, await ladder.find(), relay, model.get("node"));
  };
  const parts = new Parts(load);
  ladder.onFound(({ server }) => server && parts.hope());
  return { store, relay, ladder, parts };
}

/**
 * Resolves when the kernel has named its server. A new widget's kernel does so soon; before that there is no way but the
 * kernel's own, which is a detour for a file.
 *
 * @param {Model} model
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function named(model, signal) {
  if (model.get("node")) return Promise.resolve();
  return new Promise((resolve) => {
    const go = () => {
      clearTimeout(timer);
      model.off("change:node", go);
      signal.removeEventListener("abort", go);
      resolve();
    };
    const timer = setTimeout(go, NAMED_WITHIN_MS);
    model.on("change:node", go);
    signal.addEventListener("abort", go);
  });
}

/** @param {Model} model @returns {import("./transport/ladder.js").Question} */
function question(model) {
  const url = model.get("base_url") ?? "";
  const wanted = model.get("transport") === "relay" ? "relay" : model.get("route") || "auto";
  return {
    pageUrl: globalThis.location?.href ?? "",
    jupyterUrl: jupyterBase(document),
    inJupyter: model.get("in_jupyter") === true,
    kernelUrl: !url || url.endsWith("/") ? url : `${url}/`,
    colab: colab() !== undefined,
    wanted,
    node: model.get("node") ?? "",
  };
}

/** @returns {{proxyPort?: (port: number, options?: object) => Promise<string>} | undefined} */
function colab() {
  return /** @type {any} */ (globalThis).google?.colab?.kernel;
}

/**
 * @param {PartName} name
 * @param {Found} found
 * @param {Relay} relay
 * @param {string} node the kernel's server: widgets of another kernel do not wait for this one's answer
 * @returns {Promise<any>}
 */
async function part(name, found, relay, node) {
  const file = `part-${name}.js`;
  const all = /** @type {any} */ (globalThis);
  all[LOADED] ??= new Map();
  const key = `${found.server?.base.href ?? node} ${file}`;
  const loading = all[LOADED].get(key) ?? fileOf(file, found, relay).then(imported);
  all[LOADED].set(key, loading);
  try {
    return await loading;
  } catch (error) {
    all[LOADED].delete(key);
    throw error;
  }
}

/** @param {string} file @param {Found} found @param {Relay} relay */
async function fileOf(file, { server }, relay) {
  if (server) {
    try {
      const response = await fetch(new URL(`static/${file}`, server.base), { headers: server.headers() });
      if (response.ok) return await response.text();
    } catch {
      // The kernel has it too.
    }
  }
  return relay.file(file);
}

/** @param {string | null} text @returns {Promise<any>} */
async function imported(text) {
  if (text === null) throw new Error("there is no such part");
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    return await import(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}
