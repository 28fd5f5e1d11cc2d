/** The parts of the browser that a consumer uses; each can be replaced. */
import { pageShared } from "./shared.js";
import { Store } from "./store.js";

/**
 * @typedef {object} Platform
 * @property {typeof fetch} fetch
 * @property {(call: () => void, ms: number) => any} setTimeout
 * @property {(id: any) => void} clearTimeout
 * @property {() => number} now ms of a steady clock
 * @property {() => number} wall Unix time in ms
 * @property {() => number} random numbers in [0, 1)
 * @property {() => string} newKey idempotency keys
 * @property {(error: unknown) => void} report takes what a handler threw
 * @property {typeof globalThis.WebSocket | null} WebSocket
 * @property {import("./locks.js").Locks | null} locks over all tabs
 * @property {import("./memory.js").Store} store keeps over reloads which way works
 * @property {import("./shared.js").Shared} shared by all consumers of the page
 * @property {string | undefined} pageUrl base of relative URLs; its origin is ours
 */

/**
 * The platform that this runs on, with parts of it replaced; what is no part of it is left out.
 *
 * @param {Partial<Platform>} parts
 * @returns {Platform}
 */
export function platformOf(parts) {
  /** @type {Platform} */
  const platform = {
    fetch: (...request) => globalThis.fetch(...request),
    setTimeout: (call, ms) => globalThis.setTimeout(call, ms),
    clearTimeout: (id) => globalThis.clearTimeout(id),
    now: () => performance.now(),
    wall: () => Date.now(),
    random: () => Math.random(),
    newKey,
    report,
    WebSocket: globalThis.WebSocket ?? null,
    locks: globalThis.navigator?.locks ?? null,
    store: new Store(() => sessionStorage),
    shared: pageShared(),
    pageUrl: globalThis.location?.href,
  };
  const given = Object.entries(parts).filter(([name, part]) => name in platform && part !== undefined);
  return { ...platform, ...Object.fromEntries(given) };
}

/** A random UUID (version 4); `crypto.randomUUID` exists on https and localhost only. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** @param {unknown} error */
function report(error) {
  "reportError" in globalThis ? globalThis.reportError(error) : console.error(error);
}
