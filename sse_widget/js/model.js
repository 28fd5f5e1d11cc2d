/** What a widget asks of its model, the page's half of what the kernel shares. */

/** @typedef {import("@anywidget/types").AnyModel<any>} Model */
/**
 * @typedef {object} Traits
 * @property {string} stream_id
 * @property {string} question
 * @property {string} text
 * @property {import("./consumer.js").State | "streaming"} status
 * @property {string} error
 * @property {string} [error_code] not in notebooks that were saved before it was known
 * @property {string} base_url
 * @property {string} [node]
 * @property {string} [route]
 * @property {import("./open.js").Wanted | "relay"} [transport]
 * @property {boolean} in_jupyter
 * @property {string} model
 * @property {string} lang
 */

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
