import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { LimitExceeded, Parser } from "../../sse_widget/js/protocol/sse.js";

const vectors = JSON.parse(readFileSync(new URL("../vectors/sse.json", import.meta.url), "utf8"));

/** @param {any} vector */
const wireOf = (vector) =>
  new Uint8Array(vector.hex === undefined ? Buffer.from(vector.bytes) : Buffer.from(vector.hex, "hex"));

/** @param {Uint8Array[]} pieces */
function parse(pieces) {
  const parser = new Parser();
  const events = pieces.flatMap((piece) => parser.feed(piece));
  return { events, last_event_id: parser.lastEventId, retry_ms: parser.retryMs };
}

for (const { name, events, last_event_id, retry_ms, ...source } of vectors) {
  test(`vector: ${name}`, () => {
    const wire = wireOf(source);
    const want = { events, last_event_id, retry_ms };
    assert.deepEqual(parse([wire]), want, "whole");
    assert.deepEqual(parse(Array.from(wire, (byte) => Uint8Array.of(byte))), want, "byte by byte");
    for (let at = 0; at <= wire.length; at++) {
      assert.deepEqual(
        parse([wire.subarray(0, at), new Uint8Array(), wire.subarray(at)]),
        want,
        `split at ${at}`,
      );
    }
  });
}

for (const [name, wire] of [
  ["one line", `data: ${"x".repeat(2000)}`],
  ["many lines", "data: x\n".repeat(600)],
  ["empty lines", "data:\n".repeat(2000)],
]) {
  for (const step of [1, 7, 10_000]) {
    test(`size is bounded: ${name}, ${step} bytes at a time`, () => {
      const parser = new Parser({ maxEventChars: 1000 });
      const bytes = Buffer.from(/** @type {string} */ (wire));
      assert.throws(() => {
        for (let at = 0; at < bytes.length; at += step) {
          parser.feed(bytes.subarray(at, at + step));
        }
      }, LimitExceeded);
    });
  }
}

test("comments are reported when asked for", () => {
  /** @type {string[]} */
  const comments = [];
  const parser = new Parser({ onComment: (comment) => comments.push(comment) });
  parser.feed(Buffer.from(": a\n:b\ndata: x\n\n"));
  assert.deepEqual(comments, ["a", "b"]);
});
