import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Counter } from "../../sse_widget/js/measure/counter.js";
import { Curve } from "../../sse_widget/js/measure/curve.js";
import { figuresOf } from "../../sse_widget/js/measure/figures.js";
import { frameOf, roundUp } from "../../sse_widget/js/measure/frame.js";
import { Histogram } from "../../sse_widget/js/measure/histogram.js";
import { Recording } from "../../sse_widget/js/measure/recording.js";
import { segmentGraphemes } from "../../sse_widget/js/view/graphemes.js";

/** A recording and the clock that it looks at. */
function recorded() {
  const clock = { ms: 1000 };
  const recording = new Recording({ now: () => clock.ms, segment: segmentGraphemes });
  return {
    clock,
    recording,
    /** Lets a time after the question be. @param {number} ms */
    at: (ms) => {
      clock.ms = 1000 + ms;
      return recording;
    },
    figures: () => figuresOf(recording, clock.ms),
  };
}

/** @param {Recording} recording @param {string} state @param {string} [reason] */
const stand = (recording, state, reason) => recording.standing({ state, detail: reason ? { reason } : {} });

/** Asked at 0, three deltas, displayed a little later each. */
function run() {
  const run = recorded();
  run.at(0).begin("hi", false);
  stand(run.recording, "connecting");
  stand(run.at(50), "open");
  run.at(200).text("Hello, ", false);
  run.at(230).shown("Hell", { atMs: 1000 + 230 });
  run.at(260).shown("o, ", { atMs: 1000 + 260 });
  run.at(300).text("wor", false);
  run.at(310).shown("wor", { atMs: 1000 + 310 });
  run.at(600).text("ld!", false);
  return run;
}

test("figures of a run, computed by hand", () => {
  const { at, figures } = run();
  at(650);
  const before = figures();
  assert.deepEqual([before.ttftMs, before.ttfpMs, before.lagMs, before.chars], [200, 260, 50, 13]);
  // Six characters after the first delta in 400 ms; the last delta is not displayed yet: three in 50 ms.
  assert.deepEqual(before.charsPerS, { delivered: 15, displayed: 60 });
  at(700).shown("ld!", { atMs: 1000 + 700 });
  const { charsPerS, gapP50Ms, gapP95Ms, lagMs } = figures();
  assert.equal(lagMs, 0);
  assert.deepEqual(charsPerS, { delivered: 15, displayed: (1000 * 6) / 440 });
  // Gaps between deltas: 100 and 300 delivered, 50 and 390 displayed; percentiles are true to 1 %.
  for (const [value, want] of [
    [gapP50Ms.delivered, 200],
    [gapP95Ms.delivered, 290],
    [gapP50Ms.displayed, 220],
    [gapP95Ms.displayed, 373],
  ]) {
    assert.ok(Math.abs((value ?? 0) / (want ?? 1) - 1) <= 0.01, `${value} is not ${want}`);
  }
});

test("a page that came later times nothing that it has not seen", () => {
  const { at, figures, recording } = recorded();
  at(0).begin("hi", true);
  at(40).text("what was there", true);
  recording.shown("what was there", { atMs: 1040 });
  assert.deepEqual([figures().ttftMs, figures().ttfpMs, figures().chars], [null, null, 14]);
  at(140).text("new", false);
  at(240).text("er", false);
  assert.equal(figures().ttftMs, null);
  assert.equal(figures().charsPerS.delivered, 20);
});

test("a question that the kernel passes on counts from when it was asked", () => {
  const { at, figures, recording } = recorded();
  at(0).begin("hi", false);
  stand(recording, "connecting");
  at(80).begin("hi", true);
  stand(recording, "connecting");
  at(200).text("first", false);
  assert.equal(figures().ttftMs, 200);
  at(300).begin("hi", false);
  assert.equal(figures().ttftMs, null, "the same question again is another run");
});

test("cuts, reconnects and heartbeats are marked when they happen", () => {
  const { at, recording } = run();
  stand(at(700), "waiting", "network");
  stand(at(900), "connecting", "network");
  stand(at(1000), "waiting", "network");
  stand(at(1500), "connecting", "network");
  stand(at(1600), "open");
  stand(at(1700), "connecting", "restart");
  stand(at(1710), "open");
  stand(at(1800), "connecting", "heartbeat");
  stand(at(1805), "open");
  at(1900).event({ event: "ping" });
  at(1900).event({ event: "delta" });
  stand(at(2000), "done");
  assert.deepEqual([recording.cuts, recording.reconnects, recording.pings], [2, 3, 1]);
  const { outages, pingsS } = frameOf(recording, 10);
  assert.deepEqual(
    outages.map(({ fromS, untilS }) => [fromS, untilS]),
    [
      [0.7, 1.6],
      [1.7, 1.71],
      [1.8, 1.805],
    ],
  );
  assert.deepEqual(pingsS, [1.9]);
});

test("an interruption is a cut that lasts until the reading is resumed", () => {
  const { at, recording } = run();
  stand(at(700), "interrupted");
  assert.deepEqual(recording.outages, [{ fromMs: 1700, untilMs: null }]);
  assert.equal(recording.endedMs, 1700);
  stand(at(5000), "connecting");
  stand(at(5100), "open");
  assert.deepEqual(recording.outages, [{ fromMs: 1700, untilMs: 6100 }]);
  assert.deepEqual([recording.endedMs, recording.reconnects, recording.cuts], [null, 1, 1]);
});

test("text that stands still for longer than a second is a stall, also while it does", () => {
  const { at, recording } = run();
  at(1310);
  assert.equal(recording.stall, null);
  at(1311);
  assert.deepEqual(recording.stall, { fromMs: 1310, untilMs: null });
  at(2000).shown("ld!", { atMs: 1000 + 2000 });
  assert.deepEqual(recording.stalls, [{ fromMs: 1310, untilMs: 3000 }]);
  stand(at(2100), "done");
  at(9000);
  assert.deepEqual([recording.stall, recording.live, recording.untilMs], [null, false, 3100]);
});

test("a picture has the totals at its columns, and axes that end at round numbers", () => {
  const { at, recording } = run();
  at(700).shown("ld!", { atMs: 1000 + 700 });
  stand(at(800), "done");
  const frame = frameOf(recording, 9);
  assert.deepEqual(frame.timesS, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]);
  assert.deepEqual(frame.delivered, [0, 0, 7, 10, 10, 10, 13, 13, 13]);
  assert.deepEqual(frame.displayed, [0, 0, 0, 7, 10, 10, 10, 13, 13]);
  assert.deepEqual([frame.endS, frame.mostChars], [5, 50]);
  assert.deepEqual([7, 10, 11, 61].map(roundUp), [8, 10, 15, 80]);
});

test("another question begins anew; a text that comes anew keeps the marks", () => {
  const { at, recording, figures } = run();
  stand(at(700), "waiting");
  at(750).clear();
  assert.deepEqual([figures().chars, recording.cuts, recording.live], [0, 1, true]);
  at(800).begin("another", false);
  assert.deepEqual([recording.cuts, recording.outages, recording.askedMs], [0, [], 1800]);
});

test("a long run takes a bounded amount of memory, and its end is exact", () => {
  const { clock, recording, figures } = recorded();
  recording.begin("long", false);
  stand(recording, "open");
  const seed = { value: 7 };
  const random = () => {
    seed.value = (seed.value * 48271) % 2147483647;
    return seed.value / 2147483647;
  };
  for (let delta = 0; delta < 30_000; delta++) {
    clock.ms += random() * 40;
    recording.text("abc", false);
    clock.ms += random() * 10;
    recording.shown("abc", { atMs: clock.ms });
    if (delta % 10 === 0) recording.event({ event: "ping" });
  }
  const { delivered, displayed, pingsMs } = recording;
  assert.ok(delivered.length <= 1024 && displayed.length <= 1024 && pingsMs.length <= 512);
  assert.deepEqual([delivered.last?.total, displayed.last?.total, recording.pings], [90_000, 90_000, 3000]);
  assert.equal(displayed.last?.atMs, clock.ms);
  assert.equal(figures().lagMs, 0);
});

test("what a curve forgets is no more than a step", () => {
  const rises = fc.array(fc.tuple(fc.nat(50), fc.integer({ min: 1, max: 9 })), {
    minLength: 1,
    maxLength: 400,
  });
  fc.assert(
    fc.property(rises, (steps) => {
      const [curve, whole] = [new Curve(32), new Curve(1000)];
      let [atMs, total] = [0, 0];
      for (const [wait, rise] of steps) {
        atMs += wait;
        total += rise;
        curve.add(atMs, total);
        whole.add(atMs, total);
      }
      assert.ok(curve.length <= 32);
      assert.deepEqual(curve.last, whole.last);
      for (const point of curve.points) assert.deepEqual(curve.at([point.atMs]), whole.at([point.atMs]));
      for (const { atMs: timeMs } of whole.points) {
        const [coarse = 0] = curve.at([timeMs]);
        const [now = 0, before = 0] = [whole.at([timeMs])[0], whole.at([timeMs - curve.stepMs])[0]];
        assert.ok(before <= coarse && coarse <= now, `${before} <= ${coarse} <= ${now}`);
      }
    }),
  );
});

test("percentiles are linear between neighbours, true to 1 %", () => {
  const durations = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(durations, fc.constantFrom(0.01, 0.5, 0.95, 1), (values, share) => {
      const histogram = new Histogram();
      for (const value of values) histogram.add(value);
      const sorted = [...values].sort((one, other) => one - other);
      const place = share * (values.length - 1);
      const [below = 0, above = 0] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
      const want = below + (place - Math.floor(place)) * (above - below);
      const got = histogram.percentile(share) ?? Number.NaN;
      assert.ok(Math.abs(got - want) <= Math.max(0.011, want * 0.0101), `${got} is not ${want}`);
    }),
  );
  assert.equal(new Histogram().percentile(0.5), null);
});

test("characters are grapheme clusters, however the text is cut", () => {
  const texts = ["Hello", "مَرْحَبًا", "👩‍👩‍👧‍👦", "é", "\r\n", "🇸🇦", "क्षि", "你好"];
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...texts)),
      fc.infiniteStream(fc.integer({ min: 1, max: 5 })),
      (parts, cuts) => {
        const text = parts.join("");
        const counter = new Counter(segmentGraphemes);
        let at = 0;
        for (const size of cuts) {
          if (at >= text.length) break;
          let end = at + size;
          // Deltas are UTF-8 on the wire: no pair of surrogates is ever cut.
          if (/[\ud800-\udbff]/.test(text[end - 1] ?? "")) end += 1;
          counter.add(text.slice(at, end));
          at = end;
        }
        assert.equal(counter.chars, segmentGraphemes(text).length);
      },
    ),
  );
});
