/** The figures of a run, in a row; where it is narrow, in one line that opens. */
import { milliseconds, rate, seconds, size } from "./amounts.js";
import { element } from "./element.js";

/** @typedef {import("../measure/figures.js").Figures} Figures */
/** @typedef {import("../measure/figures.js").Pair} Pair */
/** @typedef {import("./words.js").Words} Words */
/** @typedef {keyof Words["figures"]} Name */

/** Those of which delivered and displayed stand side by side. */
const PAIRS = /** @type {const} */ (["rate", "p50", "p95"]);
const NAMES = /** @type {readonly Name[]} */ (
  /** @type {const} */ (["ttft", "ttfp", "lag", "bytes", "reconnects", "transport", ...PAIRS])
);

/** A description list whose values change in place. */
export class Strip {
  #words;
  /** @type {Map<Name, HTMLElement[]>} */
  #cells = new Map();
  #line;

  /** @param {Words} words @param {AbortSignal} signal */
  constructor(words, signal) {
    this.#words = words;
    const list = element("dl", { className: "ssew-figures" }, ...NAMES.map((name) => this.#item(name)));
    this.#line = element("button", {
      type: "button",
      className: "ssew-button ssew-figures-line",
      "aria-expanded": "false",
    });
    this.element = element("div", { className: "ssew-strip" }, this.#line, list);
    this.#line.addEventListener(
      "click",
      () => {
        const open = this.element.classList.toggle("ssew-open");
        this.#line.setAttribute("aria-expanded", String(open));
      },
      { signal },
    );
  }

  /** @param {Readonly<Figures>} figures @param {{bytes: number, transport: string}} stream */
  show(figures, { bytes, transport }) {
    const { units, seconds: s, bytes: sizes, transport: ways } = this.#words;
    const ms = (/** @type {number | null} */ value) => milliseconds(value, units.ms);
    const both = (/** @type {Pair} */ pair, /** @type {(value: number | null) => string} */ said) => [
      said(pair.delivered),
      said(pair.displayed),
    ];
    const ttft = seconds(figures.ttftMs, s);
    this.#set("ttft", ttft);
    this.#set("ttfp", seconds(figures.ttfpMs, s));
    this.#set("rate", ...both(figures.charsPerS, rate));
    this.#set("p50", ...both(figures.gapP50Ms, ms));
    this.#set("p95", ...both(figures.gapP95Ms, ms));
    this.#set("lag", ms(figures.lagMs));
    this.#set("bytes", size(bytes, sizes));
    this.#set("reconnects", String(figures.reconnects));
    this.#set("transport", ways[/** @type {keyof typeof ways} */ (transport)] ?? (transport || "–"));
    write(this.#line, this.#words.inShort(ttft, rate(figures.charsPerS.displayed), ms(figures.lagMs)));
  }

  /** @param {Name} name */
  #item(name) {
    const { figures, explained, marks } = this.#words;
    const title = /** @type {Record<string, string>} */ (explained)[name] ?? "";
    const kinds = PAIRS.includes(/** @type {any} */ (name))
      ? /** @type {const} */ (["delivered", "displayed"])
      : [];
    const values = (kinds.length > 0 ? kinds : [""]).map(() => element("span", {}));
    const cells = values.map((value, at) => {
      const kind = kinds[at];
      if (!kind) return element("dd", { className: "ssew-figure" }, value);
      const said = element("span", { className: "ssew-unseen" }, `${marks[kind]}: `);
      return element("dd", { className: `ssew-figure ssew-of-${kind}` }, said, value);
    });
    this.#cells.set(name, values);
    const label = element("dt", { className: "ssew-figure-name", title }, figures[name]);
    const both = kinds.length > 0 ? " ssew-both" : "";
    return element("div", { className: `ssew-figure-item${both}` }, label, ...cells);
  }

  /** @param {Name} name @param {...string} values */
  #set(name, ...values) {
    this.#cells.get(name)?.forEach((cell, at) => {
      write(cell, values[at] ?? "");
    });
  }
}

/** Writes only what is new, so that nothing is laid out for nothing. @param {HTMLElement} node @param {string} text */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
