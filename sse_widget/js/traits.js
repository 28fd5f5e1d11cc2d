/** Keeps the knobs of a page, its fault plan, and the traits of its model in step. */
import { INITIAL } from "./knobs/specs.js";
import { listen } from "./model.js";

/** @typedef {import("./knobs/faults.js").Faults} Faults */
/** @typedef {import("./knobs/knobs.js").Knobs} Knobs */
/** @typedef {import("./model.js").Model} Model */

/**
 * What the page turns goes to the model in one message, with the revision of the kernel's own changes that it had seen
 * by then: while the kernel is busy, a message may come late. What the kernel turns comes back as no change at all.
 *
 * @param {Knobs} knobs
 * @param {Model} model
 * @param {AbortSignal} signal
 */
export function shareKnobs(knobs, model, signal) {
  const names = Object.keys(INITIAL).filter((name) => model.get(name) !== undefined);
  const taken = () => Object.fromEntries(names.map((name) => [name, model.get(name)]));
  knobs.set(taken(), "kernel");
  for (const name of names) {
    const heard = () => knobs.set({ [name]: model.get(name) }, "kernel");
    listen(model, `change:${name}`, heard, signal);
  }
  knobs.listen((changes, origin) => {
    if (origin === "kernel") return;
    for (const [name, value] of Object.entries(changes)) if (names.includes(name)) model.set(name, value);
    model.set("preset", knobs.preset);
    model.set("knobs_seen", model.get("knobs_revision"));
    model.save_changes();
  }, signal);
}

/**
 * The kernel knows whether its server allows faults, and has a plan of its own until the page chooses another.
 *
 * @param {Faults} faults
 * @param {Model} model
 * @param {AbortSignal} signal
 */
export function shareFaults(faults, model, signal) {
  const heard = () => {
    faults.set({ allowed: model.get("faults_allowed") === true, text: model.get("fault") ?? "" }, "kernel");
  };
  listen(model, "change:fault", heard, signal);
  listen(model, "change:faults_allowed", heard, signal);
  heard();
  faults.listen((origin) => {
    if (origin === "kernel" || model.get("fault") === faults.text) return;
    model.set("fault", faults.text);
    model.save_changes();
  }, signal);
}
