/** Keeps the knobs of a page and the traits of its model in step. */
import { INITIAL } from "./knobs/specs.js";
import { listen } from "./model.js";

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
