/** What a consumer tells whoever listens, written down. */

/** @param {import("../../sse_widget/js/consumer.js").Consumer} consumer */
export function toldBy(consumer) {
  const told = {
    consumer,
    text: "",
    /** @type {string[]} */ ids: [],
    /** @type {[string, string][]} */ ways: [],
    /** @type {[string, any][]} */ states: [],
    /** @type {any[]} */ errors: [],
    resets: 0,
    /** Resolves when an event arrives. @param {string} name @returns {Promise<any>} */
    hears: (name) => new Promise((resolve) => consumer.on(name, resolve)),
    /** Resolves when the consumer enters a state again. @param {string} wanted @returns {Promise<any>} */
    enters: (wanted) =>
      new Promise((resolve) => consumer.onState((state, detail) => state === wanted && resolve(detail))),
  };
  consumer
    .onDelta(({ text }, event) => {
      told.text += text;
      told.ids.push(event?.id ?? "");
    })
    .onReset(() => {
      told.text = "";
      told.ids = [];
      told.resets += 1;
    })
    .onState((state, detail) => told.states.push([state, detail]))
    .onTransport((name, reason) => told.ways.push([name, reason]))
    .onError((data) => told.errors.push(data));
  return told;
}
