import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { DEFAULTS, pacerOptions } from "../../sse_widget/js/pacing/pace.js";
import { Pacer } from "../../sse_widget/js/pacing/typewriter.js";
import { segmentGraphemes } from "../../sse_widget/js/view/graphemes.js";

const vectors = JSON.parse(readFileSync(new URL("../vectors/typewriter.json", import.meta.url), "utf8"));

/** @param {Record<string, number>} options in the names of the vectors */
const camel = (options) =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name.replace(/_(.)/g, (_, c) => c.toUpperCase()), value]),
  );

/** @type {Record<string, (pacer: Pacer, ...args: any[]) => void>} */
const STEPS = {
  append: (pacer, at, text) => pacer.append(text, at),
  finish: (pacer, at) => pacer.finish(at),
  take: (pacer, at, want) => assert.equal(pacer.take(at), want),
  next: (pacer, at, want) => assert.equal(pacer.nextMs(at), want),
  backlog: (pacer, want) => assert.equal(pacer.backlog, want),
  flush: (pacer, want) => assert.equal(pacer.flush(), want),
  clear: (pacer) => pacer.clear(),
  update: (pacer, changes) => pacer.update(pacerOptions(camel(changes), pacer.options)),
};

for (const { name, options, steps } of vectors) {
  test(`vector: ${name}`, () => {
    const pacer = new Pacer(pacerOptions(camel(options)), segmentGraphemes);
    for (const [op, ...args] of steps) {
      try {
        STEPS[op]?.(pacer, ...args);
      } catch (error) {
        throw new Error(`at ${JSON.stringify([op, ...args])}`, { cause: error });
      }
    }
  });
}

const PIECES = [
  "a",
  "Z",
  " ",
  ".",
  ",",
  "\n",
  "\r",
  "م",
  "\u064e",
  "؟",
  "،",
  "你",
  "。",
  "e\u0301",
  "\u0301",
  "\u200d",
];
const EMOJI = ["👩", "🚀", "👨‍👩‍👧‍👦", "🏽", "🇫", "🇷", "❤", "\ufe0f", "한", "ᄒ", "ᅡ"];
const delta = fc
  .array(fc.constantFrom(...PIECES, ...EMOJI), { maxLength: 12 })
  .map((parts) => parts.join(""));
const options = fc.record({
  baseDelayMs: fc.double({ min: 0, max: 60, noNaN: true }),
  punctuationDelayMultiplier: fc.double({ min: 0, max: 20, noNaN: true }),
  commaDelayMultiplier: fc.double({ min: 0, max: 20, noNaN: true }),
  charsPerStep: fc.integer({ min: 1, max: 6 }),
  maxLagMs: fc.double({ min: 0, max: 500, noNaN: true }),
});
/** Deltas and takes, each some time after the one before. */
const schedule = fc.array(
  fc.tuple(
    fc.double({ min: 0, max: 120, noNaN: true }),
    fc.oneof(delta, fc.constant(null), fc.constant(null), fc.constant(null)),
  ),
  { maxLength: 60 },
);
const SEEDED = { seed: 20_24, numRuns: 400 };

/** Where clusters of a text end.
 * @param {string} text */
function boundaries(text) {
  let at = 0;
  return new Set([0, ...segmentGraphemes(text).map((cluster) => (at += cluster.length))]);
}

test("any schedule: nothing lost, nothing split, nothing later than the cap at the next take", () => {
  fc.assert(
    fc.property(options, schedule, (pace, events) => {
      const pacer = new Pacer(pacerOptions(pace), segmentGraphemes);
      let [now, received, shown] = [0, "", ""];
      /** @type {{end: number, arrivalMs: number}[]} */
      const waiting = [];
      const take = () => {
        shown += pacer.take(now);
        assert.equal(received.slice(0, shown.length), shown);
        assert.ok(
          boundaries(received).has(shown.length),
          `${JSON.stringify(shown)} of ${JSON.stringify(received)}`,
        );
        while (waiting[0] && waiting[0].end <= shown.length) waiting.shift();
        assert.ok(!waiting[0] || waiting[0].arrivalMs + pace.maxLagMs > now, "later than the cap");
      };
      for (const [pause, text] of events) {
        now += pause;
        if (text === null) {
          take();
        } else {
          pacer.append(text, now);
          received += text;
          waiting.push({ end: received.length, arrivalMs: now });
        }
      }
      pacer.finish(now);
      const end = now + pace.maxLagMs;
      for (let next = pacer.nextMs(now), takes = 0; next !== null; next = pacer.nextMs(now), takes++) {
        assert.ok(next <= end + 0.2 && takes < 10_000, "drains within the cap, and in finite steps");
        now = next;
        take();
      }
      assert.equal(shown, received);
      assert.ok(pacer.idle && pacer.backlog === 0);
    }),
    SEEDED,
  );
});

test("no take before nextMs shows anything", () => {
  fc.assert(
    fc.property(options, schedule, (pace, events) => {
      const pacer = new Pacer(pacerOptions(pace), segmentGraphemes);
      let now = 0;
      for (const [pause, text] of events) {
        const next = pacer.nextMs(now);
        now += pause;
        if (text === null) {
          const shown = pacer.take(now);
          assert.ok(
            !shown || (next !== null && next <= now + 0.2),
            `${shown} at ${now}, expected at ${next}`,
          );
        } else {
          pacer.append(text, now);
        }
      }
    }),
    SEEDED,
  );
});

test("half a surrogate pair is no character yet", () => {
  const pacer = new Pacer(pacerOptions({ maxLagMs: 50 }), segmentGraphemes);
  const family = "👩‍🚀";
  for (const [at, unit] of Array.from(
    family.split(""),
    (unit, index) => /** @type {const} */ ([index, unit]),
  )) {
    pacer.append(unit, at);
    assert.equal(pacer.take(at), "");
  }
  pacer.append("\ud83d", 40);
  assert.equal(pacer.take(40), "");
  assert.equal(pacer.take(100), family);
  assert.equal(pacer.flush(), "");
  pacer.append("\ude80.", 110);
  assert.equal(pacer.take(110), "🚀");
  pacer.append("\ud83d", 120);
  pacer.finish(120);
  assert.equal(pacer.take(1000), ".\ud83d");
});

for (const [name, count, text] of /** @type {[string, number, string][]} */ ([
  ["a megabyte at once", 1, "Hello, world. ".repeat(75_000)],
  ["a megabyte of combining marks at once", 1, `a${"\u0301".repeat(1_000_000)}`],
  ["100,000 deltas of a letter", 100_000, "a"],
  ["100,000 deltas of a combining mark", 100_000, "\u0301"],
])) {
  test(`work is linear: ${name}`, () => {
    let segmented = 0;
    const pacer = new Pacer(DEFAULTS, (piece) => {
      segmented += piece.length;
      return segmentGraphemes(piece);
    });
    let shown = 0;
    for (let at = 0; at < count; at++) {
      pacer.append(text, at / 10);
      if (at % 1000 === 0) shown += pacer.take(at / 10).length;
    }
    pacer.finish(count / 10);
    assert.equal(shown + pacer.take(count / 10 + DEFAULTS.maxLagMs).length, count * text.length);
    assert.ok(segmented <= 70 * count * text.length, `segmented ${segmented} units`);
  });
}

test("options are checked", () => {
  assert.deepEqual(pacerOptions({}), DEFAULTS);
  assert.equal(pacerOptions({ maxLagMs: 0 }, pacerOptions({ charsPerStep: 2 })).charsPerStep, 2);
  for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY, /** @type {any} */ ("8")]) {
    assert.throws(() => pacerOptions({ baseDelayMs: bad }), /baseDelayMs must be a finite number, 0 or more/);
  }
  for (const bad of [0, 1.5]) {
    assert.throws(
      () => pacerOptions({ charsPerStep: bad }),
      /charsPerStep must be a whole number, 1 or more/,
    );
  }
  const typo = /** @type {any} */ ({ maxLag: 1 });
  assert.throws(() => pacerOptions(typo), /unknown option maxLag; there are baseDelayMs, /);
});
