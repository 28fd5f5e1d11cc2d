/** The part of the view that draws a run; most readers never unfold it. */
export { Timeline } from "../view/timeline.js";
