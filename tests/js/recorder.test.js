import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Clock } from "../../sse_widget/js/measure/clock.js";
import { MOST_IN_BATCH, Outbox } from "../../sse_widget/js/measure/outbox.js";
import { MOST_ROWS, Spans } from "../../sse_widget/js/measure/spans.js";
import { Waiting } from "../../sse_widget/js/measure/waiting.js";
import { eventId } from "../../sse_widget/js/protocol/events.js";

const STREAM = "0123456789abcdef0123456789abcdef";
const FACTS = { offset_ns: 5, error_ns: 1, asked: null };

for (const { name, exchanges, after } of JSON.parse(
  readFileSync(new URL("../vectors/clock.json", import.meta.url), "utf8"),
)) {
  test(`clock: ${name}`, () => {
    const clock = new Clock();
    assert.deepEqual([clock.offsetNs, clock.errorNs], [null, null]);
    const found = exchanges.map((/** @type {[number, number, number, number]} */ exchange) => {
      clock.add(...exchange);
      return clock.offsetNs === null ? null : [clock.offsetNs, clock.errorNs];
    });
    assert.deepEqual(found, after);
  });
}

/** A run on its first connection, and what is said of it. */
function run() {
  const spans = new Spans();
  const hear = {
    spans,
    /** @param {string} state @param {number} atMs @param {Record<string, unknown>} [detail] */
    stand: (state, atMs, detail = {}) => spans.standing({ state, detail }, atMs),
    /** @param {number} seq @param {string} text @param {number} atMs @param {boolean} [old] */
    delta: (seq, text, atMs, old = false) => {
      const data = JSON.stringify({ text });
      spans.event(
        { event: "delta", data, id: eventId(STREAM, seq) },
        { receivedMs: atMs, parsedMs: atMs + 1 },
      );
      if (text) spans.text(text, old);
    },
    /** @param {number} first @param {number} last @param {number} write */
    timing: (first, last, write) =>
      spans.event(
        { event: "timing", data: JSON.stringify({ first, last, write }), id: "" },
        { receivedMs: 0, parsedMs: 0 },
      ),
  };
  hear.stand("connecting", 10, { connection: 1, reason: "" });
  hear.stand("open", 20);
  return hear;
}

const OPENED = [
  ["state", 1, 0, 10, "connecting", ""],
  ["state", 1, 0, 20, "open", ""],
];

test("a delta is told once the frame with its last character was painted", () => {
  const { spans, timing, delta, stand } = run();
  timing(1, 2, 7000);
  delta(1, "Hel", 100);
  delta(2, "lo", 100);
  delta(3, "!", 110);
  spans.show("He", 120);
  spans.show("llo", 136.1234567);
  assert.equal(spans.shown, 2);
  assert.deepEqual(spans.take(), OPENED, "nothing is painted yet");
  spans.paint(2, 153);
  assert.deepEqual(spans.take(), [
    ["delta", 1, 1, 0, 7000, 100, 101, 120, 136.123, 153],
    ["delta", 2, 1, 0, 7000, 100, 101, 136.123, 136.123, 153],
  ]);
  stand("done", 160);
  assert.equal(spans.over, false, "one delta is not on show");
  spans.show("!", 170);
  spans.paint(3, 186);
  assert.equal(spans.over, true);
  assert.deepEqual(spans.take(), [
    ["state", 1, 0, 160, "done", ""],
    ["delta", 3, 1, 0, null, 110, 111, 170, 170, 186],
  ]);
});

test("a server that has been up for 200 days is heard", () => {
  const { spans, timing, delta } = run();
  const writeNs = 17_280_000_001_000_000;
  timing(1, 1, writeNs);
  delta(1, "a", 100);
  spans.show("a", 110);
  spans.paint(1, 126);
  assert.deepEqual(spans.take().at(-1), ["delta", 1, 1, 0, writeNs, 100, 101, 110, 110, 126]);
});

test("frames that overlap paint what was shown by then, each once", () => {
  const { spans, delta } = run();
  delta(1, "a", 100);
  delta(2, "b", 100);
  spans.show("a", 110);
  spans.show("b", 120);
  spans.take();
  spans.paint(1, 126);
  spans.paint(1, 127);
  spans.paint(2, 143);
  assert.deepEqual(
    spans.take().map((row) => row.at(-1)),
    [126, 143],
  );
});

test("connections, attempts and heartbeats are counted over a break and over a resumed reading", () => {
  const { spans, delta, stand } = run();
  spans.event({ event: "ping", data: "", id: "" }, { receivedMs: 90, parsedMs: 90 });
  stand("waiting", 100, { attempt: 1, delayMs: 5, reason: "cut" });
  stand("connecting", 105, { connection: 2, reason: "cut" });
  stand("connecting", 105, { connection: 2, reason: "cut" });
  stand("waiting", 110, { attempt: 2, delayMs: 5, reason: "network" });
  stand("connecting", 115, { connection: 3, reason: "network" });
  stand("open", 120);
  delta(1, "a", 130);
  delta(2, "b", 131);
  stand("interrupted", 140, { code: "lost" });
  stand("connecting", 200, { connection: 1, reason: "" });
  delta(3, "", 210);
  spans.giveUp();
  assert.deepEqual(spans.take().slice(2), [
    ["ping", 1, 90],
    ["state", 1, 1, 100, "waiting", "cut"],
    ["state", 2, 1, 105, "connecting", "cut"],
    ["state", 2, 2, 110, "waiting", "network"],
    ["state", 3, 2, 115, "connecting", "network"],
    ["state", 3, 2, 120, "open", ""],
    ["state", 3, 0, 140, "interrupted", "lost"],
    ["state", 4, 0, 200, "connecting", ""],
    ["delta", 1, 3, 2, null, 130, 131, null, null, null],
    ["delta", 2, 3, 2, null, 131, 132, null, null, null],
  ]);
});

test("old text is a snapshot; what nobody can see painted has no such time", () => {
  const { spans, delta } = run();
  delta(8, "all of it", 100, true);
  spans.show("all of it", 101);
  spans.paint(spans.shown, null);
  assert.deepEqual(spans.take().slice(2), [["snapshot", 8, 1, 0, null, 100, 101, 101, 101, null]]);
});

test("text so far that is read again is no delta; what is new after it is one", () => {
  const { spans, delta, stand } = run();
  delta(2, "ab", 100);
  spans.show("ab", 110);
  spans.paint(1, 126);
  stand("interrupted", 140);
  stand("connecting", 200, { connection: 1 });
  spans.take();
  delta(2, "", 210);
  delta(3, "c", 220);
  spans.show("c", 230);
  spans.paint(2, 246);
  stand("done", 250);
  assert.deepEqual(spans.take(), [
    ["delta", 3, 2, 0, null, 220, 221, 230, 230, 246],
    ["state", 2, 0, 250, "done", ""],
  ]);
  assert.equal(spans.over, true);
});

test("text that is forgotten is told as far as it came, and the same deltas again", () => {
  const { spans, delta } = run();
  delta(1, "ab", 100);
  spans.show("a", 105);
  spans.clear();
  delta(1, "ab", 200);
  spans.show("ab", 205);
  spans.paint(1, 220);
  assert.deepEqual(spans.take().slice(2), [
    ["delta", 1, 1, 0, null, 100, 101, 105, null, null],
    ["delta", 1, 1, 0, null, 200, 201, 205, 205, 220],
  ]);
});

test("rows are bounded", () => {
  const { spans } = run();
  for (let count = 0; count < MOST_ROWS + 10; count++)
    spans.event({ event: "ping", data: "", id: "" }, { receivedMs: count, parsedMs: count });
  assert.equal(spans.take().length, MOST_ROWS);
});

test("what waits is touched by its first character and whole with its last", () => {
  /** @type {Waiting<string>} */
  const waiting = new Waiting();
  waiting.add(2, "a");
  waiting.add(0, "empty");
  waiting.add(3, "b");
  assert.deepEqual(waiting.show(1), { touched: ["a"], whole: [] });
  assert.deepEqual(waiting.show(2), { touched: ["a", "empty", "b"], whole: ["a", "empty"] });
  assert.equal(waiting.oldest, "b");
  assert.deepEqual(waiting.show(9).whole, ["b"]);
  waiting.add(1, "c");
  assert.deepEqual(waiting.show(1).whole, ["c"], "text from elsewhere does not count for what comes later");
});

/** @param {number} count @param {number} [from] */
const pings = (count, from = 0) =>
  Array.from({ length: count }, (_, at) => /** @type {(string | number)[]} */ (["ping", 1, from + at]));

test("batches follow each other, and one that failed is sent again from the same row", () => {
  const outbox = new Outbox("reader-1");
  outbox.add(pings(2));
  const first = outbox.next(FACTS, false);
  assert.deepEqual(first, { reader: "reader-1", from: 0, ...FACTS, rows: pings(2), over: false });
  outbox.add(pings(1, 2));
  outbox.settle(first, { status: 0, have: null });
  assert.equal(outbox.waitMs, 500);
  const again = outbox.next(FACTS, true);
  assert.deepEqual([again.from, again.rows, again.over], [0, pings(3), true]);
  outbox.settle(again, { status: 503, have: null });
  assert.equal(outbox.waitMs, 1000);
  outbox.settle(again, { status: 204, have: null });
  assert.deepEqual([outbox.length, outbox.closed], [0, true]);
});

test("the server says how many rows it has: those are left out", () => {
  const outbox = new Outbox("reader-1");
  outbox.add(pings(4));
  const batch = outbox.next(FACTS, true);
  outbox.settle(batch, { status: 409, have: 3 });
  const next = outbox.next(FACTS, true);
  assert.deepEqual([next.from, next.rows, outbox.closed], [3, pings(1, 3), false]);
  outbox.settle(next, { status: 409, have: 1 });
  assert.equal(outbox.closed, true, "rows that the server had are gone there");
});

for (const status of [400, 401, 403, 404, 410, 413]) {
  test(`a server that answers ${status} is left alone`, () => {
    const outbox = new Outbox("reader-1");
    outbox.add(pings(1));
    outbox.settle(outbox.next(FACTS, false), { status, have: null });
    outbox.add(pings(1));
    assert.deepEqual([outbox.closed, outbox.refused, outbox.length], [true, true, 0]);
  });
}

test("a server that is gone is given up after a while", () => {
  const outbox = new Outbox("reader-1");
  outbox.add(pings(1));
  const waits = [];
  while (!outbox.closed) {
    outbox.settle(outbox.next(FACTS, false), { status: 0, have: null });
    waits.push(outbox.waitMs);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 8000]);
});

test("many rows go in several batches, of which the last is over; a page that leaves sends what fits", () => {
  const outbox = new Outbox("reader-1");
  outbox.add(pings(MOST_IN_BATCH + 1));
  const first = outbox.next(FACTS, true);
  assert.deepEqual([first.rows.length, first.over], [MOST_IN_BATCH, false]);
  outbox.settle(first, { status: 204, have: null });
  assert.deepEqual(outbox.next(FACTS, true).over, true);
  outbox.add(pings(20_000));
  const last = outbox.last(FACTS);
  assert.equal(last.over, true);
  const size = new TextEncoder().encode(JSON.stringify(last)).length;
  assert.ok(size > 55_000 && size <= 65_536, `${size} B`);
});
