/** What a widget asks of its model, the page's half of what the kernel shares. */

/** @typedef {import("@anywidget/types").AnyModel<any>} Model */

/**
 * Calls back on an event of a model until the signal aborts.
 *
 * @param {Model} model
 * @param {string} name
 * @param {(...values: any[]) => void} call
 * @param {AbortSignal} signal
 */
export function listen(model, name, call, signal) {
  model.on(name, call);
  signal.addEventListener("abort", () => model.off(name, call));
}

/**
 * Whether the kernel is gone that the model belongs to. anywidget hands out a part of the model only; `set` returns the
 * whole one, where ipywidgets notes it.
 *
 * @param {Model} model
 */
export function isGone(model) {
  const whole = /** @type {unknown} */ (model.set("lang", model.get("lang")));
  return Object(whole).comm_live === false;
}
