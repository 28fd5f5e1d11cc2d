import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { headOf } from "../../sse_widget/js/protocol/actions.js";
import { Backoff, MAX_RETRY_MS } from "../../sse_widget/js/protocol/backoff.js";
import { Checksum } from "../../sse_widget/js/protocol/checksum.js";
import { say } from "../../sse_widget/js/protocol/messages.js";
import { Session } from "../../sse_widget/js/protocol/session.js";

const transcripts = JSON.parse(readFileSync(new URL("../vectors/session.json", import.meta.url), "utf8"));
const STATE = ["phase", "deadline_ms", "last_seq", "attempt", "stream_id"];

/** @param {string} name */
const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

/** @param {string} name */
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** @param {object} fields @param {(name: string) => string} style @returns {any} */
const renamed = (fields, style) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [style(name), value]));

/** @param {any} config */
function configOf({ backoff, ...rest }) {
  return { ...renamed(rest, camel), ...(backoff && { backoff: new Backoff(renamed(backoff, camel)) }) };
}

/** @param {Session} session @param {any} step */
function call(session, step) {
  const now = step.now_ms;
  switch (step.call) {
    case "head":
      return session.head(headOf(renamed(step.head, camel)), now);
    case "event":
      return session.event(step.event, now);
    case "failed":
      return session.failed(step.reason, now);
    case "refuse":
      return session.refuse(step.code, step.message);
    case "disconnect":
      return session.disconnect();
    case "restart":
      return session.restart(now, step.reason);
    case "update":
      return session.update(step.reconnect);
    case "bytes_arrived":
      return session.bytesArrived(now) ?? [];
    case "retry":
      return session.retry(step.retry_ms) ?? [];
    default:
      return /** @type {any} */ (session)[step.call](now);
  }
}

for (const { name, config, randoms, steps } of transcripts) {
  test(`transcript: ${name}`, () => {
    const left = [...randoms];
    const session = new Session(configOf(config), () => {
      assert.ok(left.length, "asks for more randoms");
      return left.shift();
    });
    for (const [index, step] of steps.entries()) {
      const where = `step ${index}: ${step.call}`;
      const actions = call(session, step).map((/** @type {object} */ action) => renamed(action, snake));
      assert.deepEqual(actions, step.actions, where);
      for (const field of STATE.filter((field) => field in step)) {
        assert.equal(/** @type {any} */ (session)[camel(field)], step[field], `${where}: ${field}`);
      }
    }
    assert.deepEqual(left, []);
  });
}

test("the checksum is zlib's and counts code points, however the text is divided", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" })), (pieces) => {
      const checksum = new Checksum();
      for (const piece of pieces) checksum.add(piece);
      const text = pieces.join("");
      assert.ok(checksum.matches({ chars: [...text].length, crc32: crc32(text) }));
    }),
  );
});

test("a policy stays within its bounds", () => {
  const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), unit, fc.nat(), (attempt, random, retryMs) => {
      const floorMs = Math.min(retryMs, MAX_RETRY_MS);
      const delayMs = new Backoff().withRetry(retryMs).delayMs(attempt, random);
      assert.ok(delayMs >= floorMs && delayMs <= floorMs + 30_000);
    }),
  );
});

test("every code and state is said in both languages", () => {
  for (const { state, code } of transcripts.flatMap((/** @type {any} */ transcript) =>
    transcript.steps.flatMap((/** @type {any} */ step) => step.actions),
  )) {
    for (const name of [state, code].filter(Boolean)) {
      assert.notEqual(say(name, "ar"), say(name, "en"), name);
    }
  }
  assert.equal(say("waiting", "en", { attempt: 2, seconds: 5 }), "Connection lost. Attempt 2 in 5 s");
  assert.equal(say("waiting", "ar-EG", { attempt: 2, seconds: 5 }), "انقطع الاتصال. المحاولة 2 بعد 5 ثوانٍ");
  assert.equal(say("waiting", "ar", { attempt: 2, seconds: 2 }), "انقطع الاتصال. المحاولة 2 بعد ثانيتين");
  assert.equal(say("new_code", "arn"), "Error: new_code");
  assert.equal(say("constructor", "ar"), "خطأ: constructor");
});
