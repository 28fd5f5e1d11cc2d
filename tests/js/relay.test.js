import assert from "node:assert/strict";
import { test } from "node:test";
import { Consumer } from "../../sse_widget/js/consumer.js";
import { ACK_EVERY, Relay } from "../../sse_widget/js/transport/relay.js";
import { done, PIECES, STREAM, TEXT } from "./log_server.js";

/** @typedef {any} Message */

const HELLO = {
  event: "hello",
  data: JSON.stringify({ stream_id: STREAM, heartbeat_s: 20 }),
  id: `${STREAM}:0`,
};
const START = { event: "start", data: '{"status":"started"}', id: `${STREAM}:1` };
const HEAD = { status: 200, streamId: STREAM };

/** @param {number} seq @param {string} [text] */
const doneAt = (seq, text = TEXT) => ({
  event: "done",
  data: JSON.stringify(done(text)),
  id: `${STREAM}:${seq}`,
});

/** A page's end, and what it says to the kernel. @param {import("node:test").TestContext} t */
function relayed(t) {
  const end = new AbortController();
  t.after(() => end.abort());
  /** @type {Message[]} */
  const said = [];
  const kernel = { gone: false };
  const relay = new Relay((message) => !kernel.gone && said.push(message) > 0, "me", end.signal);
  /** @param {Message} message */
  const hear = (message) => relay.receive({ to: "me", stream_id: STREAM, ...message });
  const read = (snapshot = false) => {
    const transport = relay.transport(STREAM);
    const place = { ...transport.place, snapshot };
    const consumer = new Consumer({ ...transport, place }, { reconnectDelay: 0, signal: end.signal });
    let text = "";
    consumer.onDelta((delta) => {
      text += delta.text;
    });
    return { consumer, text: () => text, ended: consumer.connect() };
  };
  return { relay, said, hear, read, kernel, end };
}

/** The state machine's turn. */
const settled = () => new Promise(setImmediate);

test("a run is read as over any transport, text and checksum included", async (t) => {
  const { said, hear, read } = relayed(t);
  const { consumer, text, ended } = read();
  assert.deepEqual(said, [
    {
      type: "relay",
      to: "me",
      op: "open",
      link: 1,
      stream_id: STREAM,
      after: 0,
      snapshot: false,
      heartbeat_s: null,
    },
  ]);
  hear({ link: 1, head: HEAD, items: [HELLO, START, ...PIECES.slice(0, 2)], size: 10 });
  hear({ link: 1, first: 4, items: [...PIECES.slice(2), doneAt(8)], size: 20, end: "ended" });
  assert.equal(await ended, "done");
  assert.deepEqual([text(), consumer.transport, consumer.lastEventId], [TEXT, "relay", `${STREAM}:8`]);
  assert.equal(said.length, 1, "what has ended is not closed");
});

test("a broken connection is resumed after the last event", async (t) => {
  const { said, hear, read } = relayed(t);
  const { text, ended } = read();
  hear({ link: 1, head: HEAD, items: [HELLO, START, PIECES[0]], size: 10, end: "cut" });
  while (said.length < 2) await settled();
  assert.deepEqual([said[1]?.op, said[1]?.link, said[1]?.after], ["open", 2, 2]);
  hear({ link: 1, first: 3, items: ["late"], size: 10 });
  hear({ link: 2, head: HEAD, first: 3, items: [...PIECES.slice(1), doneAt(8)], size: 20, end: "ended" });
  assert.equal(await ended, "done");
  assert.equal(text(), TEXT);
});

test("a hole is noticed, and the connection that has it is closed", async (t) => {
  const { said, hear, read } = relayed(t);
  const { ended } = read();
  hear({ link: 1, head: HEAD, items: [HELLO, START], size: 10 });
  hear({ link: 1, first: 5, items: ["later", "latest"], size: 20 });
  await settled();
  assert.deepEqual(
    said.map(({ op, link, after }) => [op, link, after]),
    [
      ["open", 1, 0],
      ["close", 1, undefined],
      ["open", 2, 1],
    ],
  );
  hear({ link: 2, head: HEAD, first: 5, items: ["later"], size: 20 });
  assert.equal(await ended, "gap");
});

test("a wrong text is read again, then refused", async (t) => {
  const { said, hear, read } = relayed(t);
  const { ended } = read();
  hear({ link: 1, head: HEAD, items: [HELLO, START, "other", doneAt(3)], size: 10, end: "ended" });
  await settled();
  assert.deepEqual([said.at(-1)?.link, said.at(-1)?.after], [2, 0]);
  hear({ link: 2, head: HEAD, items: [HELLO, START, "other", doneAt(3)], size: 10, end: "ended" });
  assert.equal(await ended, "error");
});

test("a run that is said to come is waited for, and read from its start", async (t) => {
  const { relay, said, hear, read } = relayed(t);
  relay.listen();
  relay.listen();
  hear({ link: -1, coming: true });
  const { text, ended } = read();
  hear({ link: -1, head: HEAD, items: [HELLO, START, ...PIECES.slice(0, 3)], size: 10 });
  await settled();
  assert.equal(text(), PIECES.slice(0, 3).join(""));
  hear({ link: -1, first: 5, items: [...PIECES.slice(3), doneAt(8)], size: 20, end: "ended" });
  assert.equal(await ended, "done");
  assert.deepEqual(said, [{ type: "relay", to: "me", op: "listen" }]);
});

test("what came before anyone read it is kept", async (t) => {
  const { relay, said, hear, read } = relayed(t);
  relay.listen();
  said.splice(0);
  hear({ link: -1, coming: true });
  hear({ link: -1, head: HEAD, items: [HELLO, START, ...PIECES, doneAt(8)], size: 20, end: "ended" });
  const { text, ended } = read();
  assert.equal(await ended, "done");
  assert.equal(text(), TEXT);
  assert.deepEqual(said, []);
});

test("another run that comes replaces the one before, and is not taken for it", (t) => {
  const { relay, said, hear, read } = relayed(t);
  relay.listen();
  said.splice(0);
  hear({ link: -1, coming: true });
  hear({ link: -2, stream_id: "f".repeat(32), coming: true });
  hear({ link: -1, first: 2, items: ["of the first"], size: 10 });
  read();
  assert.deepEqual(
    said.map(({ op, link }) => [op, link]),
    [
      ["close", -1],
      ["open", 1],
    ],
  );
});

test("a run that comes leaves the reader of the one before alone", async (t) => {
  const { relay, said, hear, read } = relayed(t);
  relay.listen();
  said.splice(0);
  hear({ link: -1, coming: true });
  const { text, ended } = read();
  hear({ link: -1, head: HEAD, items: [HELLO, START, ...PIECES.slice(0, 3)], size: 10 });
  hear({ link: -2, stream_id: "f".repeat(32), coming: true });
  hear({ link: -1, first: 5, items: [...PIECES.slice(3), doneAt(8)], size: 20, end: "ended" });
  assert.equal(await ended, "done");
  assert.equal(text(), TEXT);
  assert.deepEqual(said, []);
});

test("a page that needs no run pushed lets go of what comes", (t) => {
  const { relay, said, hear } = relayed(t);
  relay.listen();
  hear({ link: -1, coming: true });
  relay.hush();
  assert.deepEqual(
    said.map(({ op, link }) => [op, link]),
    [
      ["listen", undefined],
      ["hush", undefined],
      ["close", -1],
    ],
  );
});

test("nor does one that needed none keep what a busy kernel announces", (t) => {
  const { said, hear } = relayed(t);
  hear({ link: -1, coming: true });
  assert.deepEqual(
    said.map(({ op, link }) => [op, link]),
    [["close", -1]],
  );
});

test("the text so far is one event, whatever came before it in the message", async (t) => {
  const { hear, read } = relayed(t);
  const { text, ended } = read(true);
  const soFar = {
    event: "delta",
    data: JSON.stringify({ text: PIECES.slice(0, 3).join("") }),
    id: `${STREAM}:4`,
  };
  hear({ link: 1, head: HEAD, items: [HELLO, soFar, ...PIECES.slice(3), doneAt(8)], size: 20, end: "ended" });
  assert.equal(await ended, "done");
  assert.equal(text(), TEXT);
});

test("what arrived is confirmed now and then", async (t) => {
  const { said, hear, read } = relayed(t);
  read();
  hear({ link: 1, head: HEAD, items: [HELLO, START], size: ACK_EVERY - 1 });
  hear({ link: 1, first: 2, items: ["a"], size: ACK_EVERY });
  hear({ link: 1, first: 3, items: ["b"], size: ACK_EVERY + 1 });
  await settled();
  assert.deepEqual(
    said.slice(1).map(({ op, link, size }) => [op, link, size]),
    [["ack", 1, ACK_EVERY]],
  );
});

test("stop and knobs wait for the kernel's answer", async (t) => {
  const { relay, said, hear } = relayed(t);
  const transport = relay.transport(STREAM);
  const stopped = transport.stop(STREAM);
  const tuned = transport.tune(STREAM, { chunk_tokens: 3 });
  assert.deepEqual(
    said.map(({ op, ask, changes }) => [op, ask, changes]),
    [
      ["stop", 1, undefined],
      ["tune", 2, { chunk_tokens: 3 }],
    ],
  );
  hear({ ask: 2, agreed: true });
  hear({ ask: 1, agreed: false });
  hear({ ask: 1, agreed: true });
  assert.deepEqual([await stopped, await tuned], [false, true]);
});

test("a kernel that is gone is said to be gone", async (t) => {
  const { relay, kernel, read } = relayed(t);
  kernel.gone = true;
  const { consumer, ended } = read();
  assert.equal(await ended, "error");
  assert.equal(consumer.error?.code, "kernel_gone");
  assert.equal(await relay.transport(STREAM).stop(STREAM), false);
  assert.equal(await relay.file("part-math.js"), null);
});

test("a refusal is one as of HTTP", async (t) => {
  const { hear, read } = relayed(t);
  const { consumer, ended } = read();
  hear({ link: 1, head: { status: 404, code: "not_found", message: "no such run" } });
  assert.equal(await ended, "error");
  assert.deepEqual(consumer.error, { code: "not_found", message: "no such run" });
});

test("a file comes as text", async (t) => {
  const { relay, hear } = relayed(t);
  const file = relay.file("part-code.js");
  hear({ ask: 1, text: "export {}" });
  assert.equal(await file, "export {}");
});

test("messages to another page are not this one's", async (t) => {
  const { relay, hear, read } = relayed(t);
  const { text } = read();
  relay.receive({ to: "you", stream_id: STREAM, link: 1, head: HEAD, items: [HELLO, START, "x"], size: 1 });
  hear({ link: 7, head: HEAD, items: [HELLO], size: 1 });
  await settled();
  assert.equal(text(), "");
});

test("the end of the page is told, once", async (t) => {
  const { relay, said, end } = relayed(t);
  relay.listen();
  const answer = relay.file("part-math.js");
  relay.leave();
  end.abort();
  assert.equal(await answer, null);
  assert.deepEqual(
    said.map(({ op }) => op),
    ["listen", "file", "leave"],
  );
});

test("a page that reaches the server by now is pushed no more, and what is under way goes on", async (t) => {
  const { relay, said, hear, read } = relayed(t);
  relay.hush();
  relay.listen();
  const { ended } = read();
  relay.hush();
  relay.hush();
  hear({ link: 1, head: HEAD, items: [HELLO, START, ...PIECES, doneAt(8)], size: 10, end: "ended" });
  assert.equal(await ended, "done");
  assert.deepEqual(
    said.map(({ op }) => op),
    ["listen", "open", "hush"],
  );
});
