/** What all consumers of a page share, also those of other copies of this code: each widget of a notebook has its own. */
import { PageLocks } from "./locks.js";

/**
 * @typedef {object} Shared
 * @property {Map<string, import("./socket.js").SharedSocket>} sockets by address
 * @property {import("./locks.js").Locks} locks
 * @property {Map<string, import("./memory.js").Avoided>} ways
 */

/** Copies that differ in what these parts can do have another number. */
const SHARED = Symbol.for("sse-widget.shared.1");

/** @returns {Shared} */
export function newShared() {
  return { sockets: new Map(), locks: new PageLocks(), ways: new Map() };
}

/** @returns {Shared} that of this page */
export function pageShared() {
  const page = /** @type {Record<symbol, Shared>} */ (/** @type {unknown} */ (globalThis));
  page[SHARED] ??= newShared();
  return page[SHARED];
}
