/** Entry for anywidget: bundled to static/widget.js. Wires, no logic. */
import { Consumer } from "./consumer.js";
import { hostOf } from "./host.js";
import { isGone, KernelLink, listen } from "./kernel.js";
import { Reading } from "./reading.js";
import { FetchTransport } from "./transport/fetch.js";
import { platformOf } from "./transport/platform.js";
import { Panel } from "./view/panel.js";
import { AdaptiveTypewriter } from "./view/typewriter.js";

const PACE = {
  base_delay_ms: "baseDelayMs",
  chars_per_step: "charsPerStep",
  punctuation_delay_multiplier: "punctuationDelayMultiplier",
  comma_delay_multiplier: "commaDelayMultiplier",
  max_lag_ms: "maxLagMs",
};

/** @typedef {import("./kernel.js").Model} Model */

/** @type {import("./kernel.js").Streams} */
const STREAMS = {
  transport: (url, options) => new FetchTransport(url, options, platformOf(options)),
  consume: (transport, options) => new Consumer(transport, options),
};

/** @param {Model} model */
function pace(model) {
  return Object.fromEntries(Object.entries(PACE).map(([trait, option]) => [option, model.get(trait)]));
}

/** One call for each model: its views share what is made here. */
export default () => {
  const reading = new Reading();
  const draft = { text: "", focused: false };
  /** @type {KernelLink} */
  let link;
  /** @type {ReturnType<typeof hostOf>} */
  let host;
  return {
    /** @param {{model: Model, signal: AbortSignal}} context */
    initialize({ model, signal }) {
      host = hostOf(model, isGone, signal);
      const { ladder, relay, store } = host;
      link = new KernelLink(model, reading, { streams: STREAMS, tickets: store, ladder, relay, signal });
    },
    /** @param {{model: Model, el: HTMLElement, signal: AbortSignal}} context */
    render({ model, el, signal }) {
      const panel = new Panel(el, {
        reading,
        draft,
        signal,
        ask: (question) => link.ask(question),
        lang: model.get("lang") || document.documentElement.lang,
        typewriter: (element) => new AdaptiveTypewriter(element, { ...pace(model), signal }),
      });
      for (const trait of Object.keys(PACE)) {
        listen(model, `change:${trait}`, () => panel.update(pace(model)), signal);
      }
    },
  };
};
