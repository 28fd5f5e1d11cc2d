import assert from "node:assert/strict";
import { test } from "node:test";
import { Screen } from "../../sse_widget/js/view/screen.js";

/** A window whose frames and clock the test drives. @param {import("node:test").TestContext} t */
function driven(t) {
  const end = new AbortController();
  t.after(() => end.abort());
  const document = Object.assign(new EventTarget(), { hidden: false, timeline: { currentTime: 0 } });
  /** @type {((nowMs: number) => void)[]} */
  let callbacks = [];
  /** @type {(() => void)[]} */
  let timers = [];
  const window = {
    document,
    nowMs: 0,
    performance: { now: () => window.nowMs },
    requestAnimationFrame: (/** @type {(nowMs: number) => void} */ call) => callbacks.push(call),
    setTimeout: (/** @type {() => void} */ call) => timers.push(call),
  };
  /** Runs a frame that takes as long, what is done in it included. @param {number} atMs @param {number} drawnMs @param {() => void} [act] */
  const frame = (atMs, drawnMs, act = () => {}) => {
    document.timeline.currentTime = atMs;
    window.nowMs = atMs;
    const due = callbacks;
    callbacks = [];
    for (const call of due) call(atMs);
    act();
    window.nowMs = drawnMs;
    // A timer that was set in the frame comes after it.
    const rung = timers;
    timers = [];
    for (const call of rung) call();
  };
  /** @type {(string | number | null)[][]} */
  const seen = [];
  const screen = new Screen(/** @type {any} */ (window), end.signal);
  const show = (/** @type {string} */ name, framed = true) =>
    screen.show(framed, (ms) => seen.push([name, ms === null ? null : Math.round(ms)]));
  return { document, frame, show, seen };
}

test("what a frame shows is on the screen with the next beat", (t) => {
  const { frame, show, seen } = driven(t);
  frame(100, 103, () => show("a"));
  assert.deepEqual(seen, []);
  frame(117, 120, () => show("b"));
  frame(133, 134);
  assert.deepEqual(seen, [
    ["a", 117],
    ["b", 133],
  ]);
});

test("a frame that took long is shown with the first beat after its end", (t) => {
  const { frame, show, seen } = driven(t);
  frame(100, 185, () => show("slow"));
  // The beat of the frame that follows was before that end.
  frame(183, 186);
  assert.deepEqual(seen, [["slow", 200]]);
});

test("a page that is busy after its frame is no later for it", (t) => {
  const { frame, show, seen } = driven(t);
  frame(100, 103, () => show("a"));
  frame(117, 190);
  assert.deepEqual(seen, [["a", 117]]);
});

test("what was shown outside a frame is painted by the one that comes", (t) => {
  const { frame, show, seen } = driven(t);
  show("a", false);
  frame(100, 103);
  assert.deepEqual(seen, []);
  frame(117, 118);
  assert.deepEqual(seen, [["a", 117]]);
});

test("two views in one frame are on the screen at once, and each in its own frame", (t) => {
  const { frame, show, seen } = driven(t);
  frame(100, 103, () => {
    show("a");
    show("b");
  });
  frame(117, 118, () => show("c"));
  frame(133, 134);
  assert.deepEqual(seen, [
    ["a", 117],
    ["b", 117],
    ["c", 133],
  ]);
});

test("in a hidden tab nothing is painted, also when it becomes hidden before the frame", (t) => {
  const { document, frame, show, seen } = driven(t);
  frame(100, 103, () => show("a"));
  document.hidden = true;
  document.dispatchEvent(new Event("visibilitychange"));
  show("b");
  document.hidden = false;
  frame(900, 901);
  assert.deepEqual(seen, [
    ["a", null],
    ["b", null],
  ]);
});
