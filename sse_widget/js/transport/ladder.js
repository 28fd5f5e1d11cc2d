/** The way from this page to the server: all ways are tried at once, and the best that works is kept for the page. */
import { ASKED_MS, PROBE_MS, permissionOf, probe } from "./probe.js";
import { needsPermission, rungs, verdict } from "./routes.js";

/** @typedef {import("./jupyter.js").Server} Server */
/** @typedef {import("./routes.js").Facts} Facts */
/** @typedef {import("./routes.js").Route} Route */
/** @typedef {import("./routes.js").Rung} Rung */
/** @typedef {Omit<Facts, "permission"> & {node: string}} Question what the page and the kernel say; `node` names the server */
/**
 * The way that was found. Without a server it goes through the kernel; `reason` is then the code of why none was reached.
 *
 * @typedef {{route: Route, server: Server | null, reason: string}} Found
 */
/**
 * @typedef {object} Surroundings
 * @property {import("./probe.js").Network} network
 * @property {Pick<Permissions, "query"> | undefined} permissions
 * @property {boolean} secure whether the page is a secure context
 * @property {Pick<Storage, "getItem" | "setItem">} store
 * @property {((port: number) => Promise<string>) | null} proxyPort Colab's
 * @property {(route: Route) => Record<string, string>} headers of every request on this way
 * @property {AbortSignal} signal
 */

/** How long a better way that is still being tried is waited for, once another one works. */
export const GRACE_MS = 250;

/** Finds the way, and finds it anew when it has become doubtful or the server is another one. */
export class Ladder {
  #ask;
  #around;
  /** @type {{key: string, found: Promise<Found>} | null} */
  #search = null;
  #doubtful = false;
  /** @type {Found | null} what is known now, for whoever cannot wait */
  found = null;
  /** @type {((found: Found) => void)[]} */
  #listeners = [];

  /** @param {() => Question} ask @param {Surroundings} around */
  constructor(ask, around) {
    this.#ask = ask;
    this.#around = around;
  }

  /** @param {(found: Found) => void} listener hears of every way that is found */
  onFound(listener) {
    this.#listeners.push(listener);
  }

  /** The way, once it is known. It never rejects. @returns {Promise<Found>} */
  find() {
    const question = this.#ask();
    const key = JSON.stringify(question);
    if (this.#search?.key !== key) {
      const search = { key, found: this.#climb(question) };
      this.#search = search;
      search.found.then((found) => {
        if (this.#search === search) this.#settle(question, found);
      });
    }
    return /** @type {{found: Promise<Found>}} */ (this.#search).found;
  }

  /** The way has failed, or another might be better by now: the next `find` tries all of them again. */
  doubt() {
    this.#search = null;
    this.#doubtful = true;
  }

  /** Looks, where the kernel is the way, whether a server is reached by now: its port may have been forwarded. */
  async retry() {
    if (this.found?.route !== "relay") return;
    const question = this.#ask();
    const found = await this.#climb(question);
    if (!found.server || this.found?.route !== "relay") return;
    this.#search = { key: JSON.stringify(question), found: Promise.resolve(found) };
    this.#settle(question, found);
  }

  /** @param {Question} question @param {Found} found */
  #settle({ node, wanted }, found) {
    this.found = found;
    this.#doubtful = false;
    // What the reload of a page cuts is no failure of the way: only another way replaces what is kept.
    this.#around.store.setItem(memory(node, wanted), found.server ? found.route : "");
    for (const listener of this.#listeners) listener(found);
  }

  /** @param {Question} question @returns {Promise<Found>} */
  async #climb(question) {
    const { store, permissions, secure } = this.#around;
    const { node, wanted, kernelUrl, pageUrl } = question;
    const asks = needsPermission(pageUrl, kernelUrl);
    const facts = { ...question, permission: asks ? await permissionOf(permissions, secure) : "granted" };
    const known = rungs(/** @type {Facts} */ (facts));
    const kept = this.#doubtful ? "" : store.getItem(memory(node, wanted));
    const remembered = known.find(({ route }) => route === kept);
    const server = remembered && (await this.#server(remembered, facts));
    if (remembered && server) return { route: remembered.route, server, reason: "" };
    return this.#best(known, /** @type {Facts} */ (facts), node);
  }

  /** @param {Rung[]} known @param {Facts} facts @param {string} node @returns {Promise<Found>} */
  #best(known, facts, node) {
    /** @type {(Found | null)[]} */
    const tried = known.map(() => null);
    return new Promise((resolve) => {
      const look = (/** @type {boolean} */ patient) => {
        for (const found of tried) {
          if (found?.server) return resolve(found);
          if (!found && patient) return;
        }
        if (tried.every(Boolean)) resolve(byKernel(tried, facts.wanted));
      };
      known.forEach((rung, place) => {
        this.#try(rung, facts, node).then((found) => {
          tried[place] = found;
          if (found.server) this.#around.network.setTimeout(() => look(false), GRACE_MS);
          look(true);
        });
      });
      look(true);
    });
  }

  /** @param {Rung} rung @param {Facts} facts @param {string} node @returns {Promise<Found>} */
  async #try(rung, facts, node) {
    const { network, signal } = this.#around;
    const { route, refusal } = rung;
    if (refusal) return { route, server: null, reason: refusal };
    const server = await this.#server(rung, facts);
    if (!server) return { route, server: null, reason: "unreachable" };
    // The reader who named this way has to find the browser's question, and answer it.
    const asked = facts.permission === "prompt" && needsPermission(facts.pageUrl, server.base.href);
    const limitMs = asked ? ASKED_MS : PROBE_MS;
    const tried = await probe(server.base.href, server.headers(), limitMs, network, signal);
    const reason = verdict(rung, tried, node, facts);
    return { route, server: reason ? null : server, reason };
  }

  /** @param {Rung} rung @param {{kernelUrl: string}} facts @returns {Promise<Server | null>} */
  async #server({ route, base }, { kernelUrl }) {
    const { proxyPort, headers } = this.#around;
    try {
      const url = route === "colab" ? await proxyPort?.(Number(new URL(kernelUrl).port)) : base;
      return url
        ? { base: new URL(url.endsWith("/") ? url : `${url}/`), headers: () => headers(route) }
        : null;
    } catch {
      return null;
    }
  }
}

/**
 * The last way; its reason is that of the best way, unless one says more of what to do.
 *
 * @param {(Found | null)[]} tried
 * @param {Route | "auto"} wanted
 * @returns {Found}
 */
function byKernel(tried, wanted) {
  const reasons = tried.map((found) => found?.reason ?? "");
  const telling = reasons.find((reason) => reason && !["unreachable", "probe_timeout"].includes(reason));
  return {
    route: "relay",
    server: null,
    reason: wanted === "relay" ? "" : (telling ?? reasons[0] ?? "no_server"),
  };
}

/** @param {string} node @param {string} wanted */
function memory(node, wanted) {
  return `sse-widget:route:${node}:${wanted}`;
}
