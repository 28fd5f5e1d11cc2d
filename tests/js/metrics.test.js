/** A server's metrics as a dashboard reads them: Prometheus's text, and what it says over time. */
import assert from "node:assert/strict";
import test from "node:test";
import { quantile, Scrape } from "../../sse_widget/js/measure/exposition.js";
import { History, KEPT_MS } from "../../sse_widget/js/measure/history.js";

const TEXT = `# HELP sse_errors_total Errors.
# TYPE sse_errors_total counter
sse_errors_total{code="not_found",place="request"} 2.0
sse_errors_total{code="internal",place="stream"} 1.0
odd{text="a \\"quoted\\", \\\\ and a\\nbreak} "} 7
bare 1.5e+03
timed{a="b"} 4 1700000000000
wait_seconds_bucket{kind="a",le="0.1"} 1
wait_seconds_bucket{kind="a",le="1.0"} 3
wait_seconds_bucket{kind="a",le="+Inf"} 4
wait_seconds_bucket{kind="b",le="0.1"} 1
wait_seconds_bucket{kind="b",le="1.0"} 1
wait_seconds_bucket{kind="b",le="+Inf"} 1
`;

test("samples are found by name and labels, and added up", () => {
  const scrape = new Scrape(TEXT);
  assert.equal(scrape.sum("sse_errors_total"), 3);
  assert.equal(scrape.sum("sse_errors_total", { place: "stream" }), 1);
  assert.equal(scrape.sum("sse_errors_total", { place: "elsewhere" }), null);
  assert.equal(scrape.sum("bare"), 1500);
  assert.equal(scrape.sum("timed"), 4);
  assert.deepEqual(scrape.samples("odd")[0]?.labels, { text: 'a "quoted", \\ and a\nbreak} ' });
});

test("a histogram is added up over its labels", () => {
  const { bounds, counts } = new Scrape(TEXT).buckets("wait_seconds");
  assert.deepEqual(bounds, [0.1, 1, Number.POSITIVE_INFINITY]);
  assert.deepEqual(counts, [2, 4, 5]);
});

test("quantiles are those of Prometheus: linear in a bucket, never beyond the last bound", () => {
  const bounds = [1, 2, 4, Number.POSITIVE_INFINITY];
  const none = { bounds, counts: [0, 0, 0, 0] };
  assert.equal(quantile(none, { bounds, counts: [0, 10, 10, 10] }, 0.5), 1.5);
  assert.equal(quantile(none, { bounds, counts: [5, 5, 10, 10] }, 0.9), 3.6);
  assert.equal(quantile(none, { bounds, counts: [10, 10, 10, 10] }, 0.5), 0.5);
  assert.equal(quantile(none, { bounds, counts: [0, 0, 0, 3] }, 0.5), 4);
  assert.equal(quantile(none, none, 0.5), null);
  const before = { bounds, counts: [100, 100, 100, 100] };
  assert.equal(quantile(before, { bounds, counts: [100, 110, 110, 110] }, 0.5), 1.5);
});

/** @param {number} count @param {string} [node] @param {number} [level] */
function scrapeOf(count, node = "a", level = 0) {
  return new Scrape(
    `sse_server_info{node="${node}"} 1\nprocess_start_time_seconds 5\nseen_total ${count}\nopen ${level}\n` +
      `wait_bucket{le="1"} ${count}\nwait_bucket{le="+Inf"} ${count}\n`,
  );
}

test("counters become rates, and a gap or another process breaks them", () => {
  const history = new History();
  history.add(0, scrapeOf(10));
  history.add(1000, scrapeOf(14, "a", 2));
  history.add(3000, scrapeOf(15));
  history.add(4000, null);
  history.add(5000, scrapeOf(18));
  history.add(6000, scrapeOf(3, "b"));
  history.add(7000, scrapeOf(5, "b"));
  assert.deepEqual(history.rates("seen_total"), [null, 4, 0.5, null, null, null, 2]);
  assert.deepEqual(history.rates("seen_total", {}, 5000), [null, 4, 5 / 3, null, 8 / 5, null, 2]);
  assert.deepEqual(history.levels("open"), [0, 2, 0, null, 0, 0, 0]);
  assert.deepEqual(history.timesMs, [0, 1000, 3000, 4000, 5000, 6000, 7000]);
});

test("quantiles are of the last half minute of one process", () => {
  const history = new History();
  history.add(0, scrapeOf(10));
  history.add(1000, scrapeOf(20));
  history.add(29_000, scrapeOf(20));
  history.add(31_000, scrapeOf(20));
  history.add(32_000, scrapeOf(30, "b"));
  assert.deepEqual(history.quantiles("wait", 0.5), [null, 0.5, 0.5, null, null]);
});

test("what is older than three minutes is forgotten", () => {
  const history = new History();
  for (let atMs = 0; atMs <= KEPT_MS + 5000; atMs += 1000) history.add(atMs, scrapeOf(atMs));
  assert.equal(history.timesMs[0], 5000);
  assert.equal(history.timesMs.length, KEPT_MS / 1000 + 1);
  assert.equal(history.last?.sum("seen_total"), KEPT_MS + 5000);
});
