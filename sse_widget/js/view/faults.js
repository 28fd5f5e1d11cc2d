/** The choice of a fault plan: a situation, or the kinds, the seed and the JSON of a plan of one's own. */
import {
  choiceOf,
  kindsOf,
  planOf,
  reseeded,
  SITUATION_NAMES,
  SWITCHED,
  spread,
  switched,
  textOf,
} from "../knobs/plans.js";
import { element } from "./element.js";
import { faultWordsIn } from "./fault_words.js";

/** @typedef {import("../knobs/faults.js").Faults} Faults */
/** @typedef {import("../knobs/plans.js").Choice} Choice */
/** @typedef {import("../protocol/faults.js").FaultPlan} FaultPlan */
/** @typedef {{listen: import("../reading.js").Reading["listen"], live: boolean, transport: string}} Streamed */

const SEEDS = 2 ** 32;
let made = 0;

/** Shows one plan, whoever has chosen it, in all its forms. */
export class FaultPicker {
  #faults;
  #reading;
  #words;
  #fields;
  #seed = 1;
  /** How often the stream broke, and why, since the question. @type {Map<string, number>} */
  #breaks = new Map();

  /**
   * @param {HTMLElement} host is filled
   * @param {{faults: Faults, reading: Streamed, lang: string, signal: AbortSignal}} options
   */
  constructor(host, { faults, reading, lang, signal }) {
    this.#faults = faults;
    this.#reading = reading;
    this.#words = faultWordsIn(lang);
    this.#fields = fields(this.#words);
    host.replaceChildren(...body(this.#fields, this.#words));
    host.setAttribute("role", "group");
    host.setAttribute("aria-label", this.#words.title);
    this.#hear(signal);
    faults.listen(() => this.#show(), signal);
    reading.listen(
      {
        begin: () => {
          this.#breaks.clear();
          this.#say();
        },
        standing: (standing) => this.#stand(standing),
        transport: () => this.#say(),
      },
      signal,
    );
    this.#show();
  }

  get #plan() {
    return planOf(this.#faults.text).plan;
  }

  /** @param {AbortSignal} signal */
  #hear(signal) {
    const { choice, kinds, seed, json } = this.#fields;
    const choose = () => this.#choose(textOf(/** @type {Choice} */ (choice.value), this.#seed));
    choice.addEventListener("change", choose, { signal });
    for (const [kind, box] of kinds) {
      const turn = () => this.#choose(switched(this.#plan, kind, box.checked, this.#seed));
      box.addEventListener("change", turn, { signal });
    }
    seed.addEventListener("input", () => this.#sow(), { signal });
    json.addEventListener("input", () => this.#typed(), { signal });
    json.addEventListener("blur", () => this.#show(), { signal });
  }

  /** @param {string} text */
  #choose(text) {
    this.#faults.set({ text });
    this.#show();
  }

  #sow() {
    const { seed } = this.#fields;
    const valid = seed.validity.valid && seed.value !== "";
    seed.setAttribute("aria-invalid", String(!valid));
    if (!valid) return;
    this.#seed = seed.valueAsNumber;
    const plan = this.#plan;
    if (plan) this.#faults.set({ text: reseeded(plan, this.#seed) });
  }

  /** What is being typed stays as it is; what is no plan changes none. */
  #typed() {
    const { plan, problem } = planOf(this.#fields.json.value);
    this.#complain(problem?.message.replace("fault plan: ", "") ?? "");
    if (!problem) this.#faults.set({ text: plan?.dump() ?? "" });
  }

  #show() {
    const { choice, custom, kinds, seed, json } = this.#fields;
    const plan = this.#plan;
    const chosen = choiceOf(plan);
    const has = kindsOf(plan);
    custom.hidden = chosen !== "custom";
    choice.value = chosen;
    for (const [kind, box] of kinds) box.checked = has.has(kind);
    this.#seed = plan?.seed ?? this.#seed;
    if (seed.valueAsNumber !== this.#seed) seed.value = String(this.#seed);
    seed.removeAttribute("aria-invalid");
    if (!json.matches(":focus")) {
      json.value = spread(plan);
      this.#complain("");
    }
    this.#say();
  }

  /** @param {string} problem empty when there is none */
  #complain(problem) {
    const { json, complaint, detail } = this.#fields;
    json.setAttribute("aria-invalid", String(problem !== ""));
    complaint.hidden = problem === "";
    detail.textContent = problem;
  }

  /** @param {import("../transcript.js").Standing} standing */
  #stand({ state, detail: { reason: said = "" } }) {
    const reason = String(said);
    if (state === "waiting" && reason) this.#breaks.set(reason, (this.#breaks.get(reason) ?? 0) + 1);
    this.#say();
  }

  #say() {
    const { note } = this.#fields;
    const { text, running } = this.#faults;
    const { live, transport } = this.#reading;
    const { next, now, last, relayed, struck } = this.#words;
    const breaks = [...this.#breaks].map(([reason, times]) => this.#worded(reason, times)).join(", ");
    const said = [
      running ? (live ? now : last) : "",
      running && breaks ? struck(breaks) : "",
      text && !(live && text === running) ? next : "",
      (text || running) && transport === "relay" ? relayed : "",
    ];
    const whole = said.filter(Boolean).join(" ");
    if (note.textContent !== whole) note.textContent = whole;
    note.hidden = whole === "";
  }

  /** @param {string} reason @param {number} times */
  #worded(reason, times) {
    const { breaks, refused } = this.#words;
    const status = /^http_(\d+)$/.exec(reason)?.[1];
    const word = status ? refused(status) : (breaks[reason] ?? reason);
    return times > 1 ? `${word} ×${times}` : word;
  }
}

/** @param {import("./fault_words.js").FaultWords} words */
function fields(words) {
  const id = `ssew-fault-${made++}`;
  const custom = element("option", { value: "custom", hidden: true }, words.choices.custom);
  const options = ["none", ...SITUATION_NAMES, "drawn"].map((name) =>
    element("option", { value: name }, words.choices[/** @type {Choice} */ (name)]),
  );
  const detail = element("span", { className: "ssew-complaint-detail", lang: "en", dir: "ltr" });
  return {
    id,
    custom,
    choice: element("select", { id: `${id}-choice`, className: "ssew-choice" }, ...options, custom),
    kinds: new Map(
      SWITCHED.map((kind) => [
        kind,
        element("input", { type: "checkbox", className: "ssew-unseen", value: kind }),
      ]),
    ),
    seed: element("input", {
      id: `${id}-seed`,
      type: "number",
      className: "ssew-field ssew-seed",
      min: 0,
      max: SEEDS - 1,
      step: 1,
      inputMode: "numeric",
    }),
    json: element("textarea", {
      id: `${id}-plan`,
      className: "ssew-plan",
      rows: 5,
      spellcheck: false,
      dir: "ltr",
      "aria-describedby": `${id}-complaint`,
    }),
    detail,
    complaint: element(
      "p",
      { id: `${id}-complaint`, className: "ssew-complaint", role: "status", hidden: true },
      words.invalid,
      detail,
    ),
    note: element("p", { className: "ssew-fault-note", role: "status", hidden: true }),
  };
}

/** @param {ReturnType<typeof fields>} parts @param {import("./fault_words.js").FaultWords} words */
function body({ id, choice, kinds, seed, json, complaint, note }, words) {
  const chips = [...kinds].map(([kind, box]) =>
    element("label", { className: "ssew-preset" }, box, words.kind[kind] ?? kind),
  );
  const label = (/** @type {string} */ name, /** @type {string} */ text) =>
    element("label", { className: "ssew-knob-name", htmlFor: `${id}-${name}` }, text);
  return [
    element("div", { className: "ssew-legend-title", "aria-hidden": "true" }, words.title),
    element("div", { className: "ssew-fault-row" }, label("choice", words.choice), choice),
    note,
    element(
      "details",
      { className: "ssew-own" },
      element("summary", {}, words.own),
      element("div", { className: "ssew-presets", role: "group", "aria-label": words.kinds }, ...chips),
      element("div", { className: "ssew-fault-row" }, label("seed", words.seed), seed),
      label("plan", words.plan),
      json,
      complaint,
    ),
  ];
}
