/** The fold that the timeline is in: what draws it is loaded when it is unfolded for the first time. */
import { element } from "./element.js";
import { Fold } from "./fold.js";

/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {Omit<import("./timeline.js").TimelineOptions, "words" | "dir"> & {knobs: import("../knobs/knobs.js").Knobs, parts: import("../parts.js").Parts}} FoldOptions */

const CURVE = "M2.5 2.5v9.3a1.7 1.7 0 0 0 1.7 1.7h9.3M5 10.5c2.2 0 2.3-5 4.4-5 1.6 0 1.5 2.2 4.1-1.8";

/**
 * Whether it is unfolded is a knob, so that all views of a run agree, and the kernel too.
 *
 * @param {FoldOptions} options
 * @param {{words: import("./words.js").Words, dir: "rtl" | "ltr"}} said
 */
export function timelineFold({ recording, reading, parts, knobs, signal }, { words, dir }) {
  const region = element("div", { className: "ssew-timeline", role: "group", "aria-label": words.timeline });
  const hear = (/** @type {boolean} */ wanted) => knobs.set({ timeline: wanted });
  const fold = new Fold({ label: words.timeline, drawing: CURVE, region, open: false, hear, signal });
  /** @type {Timeline | null} */
  let timeline = null;
  let loading = false;
  const load = async () => {
    loading = true;
    const part = await parts.get("timeline");
    loading = false;
    if (signal.aborted) return;
    if (part) timeline = new part.Timeline(region, { recording, reading, words, dir, signal });
    else region.textContent = words.noTimeline;
    timeline?.open(knobs.values.timeline);
  };
  const show = () => {
    const open = knobs.values.timeline;
    fold.open(open);
    timeline?.open(open);
    if (open && !timeline && !loading) load();
  };
  knobs.listen(({ timeline: changed }) => changed !== undefined && show(), signal);
  show();
  return fold;
}
