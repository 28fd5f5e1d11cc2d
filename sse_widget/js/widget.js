/** Entry for anywidget: bundled to static/widget.js. Wires, no logic. */
import { SSEConsumer } from "./consumer.js";
import { KernelLink, listen } from "./kernel.js";
import { Knobs } from "./knobs/knobs.js";
import { Recording } from "./measure/recording.js";
import { servedOrSent } from "./part_sources.js";
import { Parts } from "./parts.js";
import { Reading } from "./reading.js";
import { Store } from "./store.js";
import { shareKnobs } from "./traits.js";
import { Tuning } from "./tuning.js";
import { segmentGraphemes } from "./view/graphemes.js";
import { Panel } from "./view/panel.js";
import { AdaptiveTypewriter } from "./view/typewriter.js";

/** @typedef {import("./kernel.js").Model} Model */

/** One call for each model: its views share what is made here. */
export default () => {
  const reading = new Reading();
  const knobs = new Knobs();
  const recording = new Recording({ now: () => performance.now(), segment: segmentGraphemes });
  const draft = { text: "", focused: false };
  /** @type {KernelLink} */
  let link;
  /** @type {Tuning} */
  let tuning;
  /** @type {Parts} */
  let parts;
  return {
    /** @param {{model: Model, signal: AbortSignal}} context */
    initialize({ model, signal }) {
      reading.listen(recording, signal);
      shareKnobs(knobs, model, signal);
      parts = new Parts(servedOrSent(model, document));
      tuning = new Tuning(knobs, reading, signal);
      link = new KernelLink(model, reading, {
        Consumer: SSEConsumer,
        tickets: new Store(() => sessionStorage),
        page: document,
        signal,
        params: () => knobs.params,
      });
    },
    /** @param {{model: Model, el: HTMLElement, signal: AbortSignal}} context */
    render({ model, el, signal }) {
      const panel = new Panel(el, {
        reading,
        recording,
        knobs,
        tuning,
        parts,
        draft,
        signal,
        ask: (question) => link.ask(question),
        askBox: model.get("ask_box") !== false,
        lang: model.get("lang") || document.documentElement.lang,
        typewriter: (element) => new AdaptiveTypewriter(element, { ...knobs.pace, signal }),
      });
      listen(model, "change:ask_box", () => panel.showAskBox(model.get("ask_box") !== false), signal);
    },
  };
};
