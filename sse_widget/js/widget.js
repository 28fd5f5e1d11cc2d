/** Entry for anywidget: bundled to static/widget.js. Wires, no logic. */
import { Consumer } from "./consumer.js";
import { hostOf } from "./host.js";
import { KernelLink } from "./kernel.js";
import { Faults } from "./knobs/faults.js";
import { Knobs } from "./knobs/knobs.js";
import { Recording } from "./measure/recording.js";
import { listen } from "./model.js";
import { transportOf } from "./open.js";
import { Reading } from "./reading.js";
import { Recorder } from "./recorder.js";
import { shareFaults, shareKnobs } from "./traits.js";
import { platformOf } from "./transport/platform.js";
import { Tuning } from "./tuning.js";
import { answerTypewriter } from "./view/answer.js";
import { segmentGraphemes } from "./view/graphemes.js";
import { Panel } from "./view/panel.js";
import { hideSaved } from "./view/saved.js";
import { Screen } from "./view/screen.js";
import { AdaptiveTypewriter } from "./view/typewriter.js";

/** @typedef {import("./model.js").Model} Model */

/** @type {import("./runs.js").Streams} */
const STREAMS = {
  transport: transportOf,
  consume: (transport, options) => new Consumer(transport, options),
};

/** One call for each model: its views share what is made here. */
export default () => {
  const reading = new Reading();
  const knobs = new Knobs();
  const faults = new Faults();
  const recording = new Recording({ now: () => performance.now(), segment: segmentGraphemes });
  const draft = { text: "", focused: false };
  /** @type {KernelLink} */
  let link;
  /** @type {Tuning} */
  let tuning;
  /** @type {ReturnType<typeof hostOf>} */
  let host;
  return {
    /** @param {{model: Model, signal: AbortSignal}} context */
    initialize({ model, signal }) {
      reading.listen(recording, signal);
      const wanted = () => model.get("recorder") !== false;
      new Recorder(reading, new Screen(window, signal), {
        wanted,
        platform: platformOf({}),
        page: window,
        signal,
      });
      shareKnobs(knobs, model, signal);
      shareFaults(faults, model, signal);
      tuning = new Tuning(knobs, reading, signal);
      host = hostOf(model, signal);
      if (knobs.values.markdown) host.parts.get("markdown");
      const { ladder, relay, store } = host;
      const params = () => knobs.params;
      link = new KernelLink(model, reading, {
        streams: STREAMS,
        tickets: store,
        ladder,
        relay,
        signal,
        params,
        faults,
      });
    },
    /** @param {{model: Model, el: HTMLElement, signal: AbortSignal}} context */
    render({ model, el, signal }) {
      hideSaved(el, model.get("saved_id"));
      const lang = model.get("lang") || document.documentElement.lang;
      const { parts } = host;
      const panel = new Panel(el, {
        reading,
        recording,
        knobs,
        faults,
        tuning,
        parts,
        draft,
        signal,
        ask: (question) => link.ask(question),
        askBox: model.get("ask_box") !== false,
        lang,
        typewriter: (element, keepPlace) =>
          answerTypewriter(AdaptiveTypewriter, element, { knobs, reading, lang, parts, signal }, keepPlace),
      });
      listen(model, "change:ask_box", () => panel.showAskBox(model.get("ask_box") !== false), signal);
    },
  };
};
