import assert from "node:assert/strict";
import { test } from "node:test";
import { SSEConsumer } from "../../sse_widget/js/open.js";
import { Reading } from "../../sse_widget/js/reading.js";
import { done, encode, LogServer, PIECES, STREAM, TEXT } from "./log_server.js";

/** @typedef {import("../../sse_widget/js/reading.js").Place} Place */

/** A view that keeps what it hears. @param {import("node:test").TestContext} t @param {Reading} reading */
function view(t, reading) {
  const end = new AbortController();
  t.after(() => end.abort());
  const heard = {
    end,
    text: "",
    old: "",
    clears: 0,
    beats: 0,
    /** @type {string[]} */ states: [],
    /** Resolves at the next standing of this state. @param {string} state @returns {Promise<unknown>} */
    stands: (state) =>
      new Promise((resolve) => {
        reading.listen(
          {
            text() {},
            clear() {},
            beat() {},
            standing: (standing) => standing.state === state && resolve(standing),
          },
          end.signal,
        );
      }),
  };
  reading.listen(
    {
      text(text, atOnce) {
        heard.text += text;
        if (atOnce) heard.old += text;
      },
      clear() {
        heard.text = "";
        heard.old = "";
        heard.clears += 1;
      },
      standing: ({ state }) => heard.states.push(state),
      beat() {
        heard.beats += 1;
      },
    },
    end.signal,
  );
  return heard;
}

/** @param {LogServer} server @param {import("../../sse_widget/js/open.js").ConsumerOptions} [options] */
const chat = (server, options) => (/** @type {Place} */ place) =>
  new SSEConsumer(server.chatUrl, { body: { q: "hi" }, reconnectDelay: 0, ...options, ...place });

/** @param {LogServer} server */
const run = (server) => (/** @type {Place} */ place) =>
  new SSEConsumer(server.runUrl, { reconnectDelay: 0, ...place });

test("an answer is told to every view, and kept for those that come later", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const reading = new Reading();
  const [one, two] = [view(t, reading), view(t, reading)];
  assert.equal(await reading.follow("hi", chat(server)), "done");
  assert.deepEqual([one.text, two.text, reading.text], [TEXT, TEXT, TEXT]);
  assert.equal(one.old, "");
  assert.deepEqual([reading.question, reading.streamId, reading.live], ["hi", STREAM, false]);
  assert.equal(one.states[0], "connecting");
  assert.deepEqual(one.states.slice(-2), ["open", "done"]);
  assert.ok(one.beats > PIECES.length);
});

test("a view that has ended hears nothing", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const reading = new Reading();
  const gone = view(t, reading);
  gone.end.abort();
  await reading.follow("hi", chat(server));
  assert.deepEqual([gone.text, gone.states], ["", []]);
});

test("with a snapshot the text so far comes at once, the tail as it is written", async (t) => {
  const server = (await LogServer.start(t)).fill();
  server.script.push((response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream", "X-Stream-Id": STREAM });
    const snapshot = encode("delta", { text: PIECES.slice(0, 3).join("") }, `${STREAM}:4`);
    response.end(server.hello(0) + snapshot + server.log.slice(4).join(""));
  });
  const reading = new Reading();
  const heard = view(t, reading);
  assert.equal(await reading.follow("hi", run(server), { snapshot: true }), "done");
  assert.equal(heard.text, TEXT);
  assert.equal(heard.old, PIECES.slice(0, 3).join(""));
  assert.equal(server.visits[0]?.url.searchParams.get("snapshot"), "1");
});

test("what the reading before still says is not heard", async (t) => {
  const [slow, fast] = [await LogServer.start(t), (await LogServer.start(t)).fill()];
  const reading = new Reading();
  const heard = view(t, reading);
  const opened = heard.stands("open");
  const left = reading.follow("slow", chat(slow));
  await opened;
  assert.equal(await reading.follow("fast", chat(fast)), "done");
  assert.equal(await left, "closed");
  slow.append("delta", { text: "late" });
  assert.deepEqual([heard.text, reading.question], [TEXT, "fast"]);
  assert.ok(!heard.states.includes("closed"));
});

test("after an interruption it goes on where it broke", async (t) => {
  const server = await LogServer.start(t);
  const reading = new Reading();
  const heard = view(t, reading);
  server.append("delta", { text: PIECES[0] });
  const open = chat(server, { reconnect: false });
  const interrupted = heard.stands("interrupted");
  const first = reading.follow("hi", open);
  await heard.stands("open");
  server.cut();
  await interrupted;
  assert.equal(await first, "interrupted");
  for (const text of PIECES.slice(1)) server.append("delta", { text });
  server.end();
  const done = heard.stands("done");
  reading.resume();
  await done;
  assert.deepEqual([heard.text, heard.clears, server.starts], [TEXT, 1, 1]);
  reading.resume();
  assert.equal(reading.standing.state, "done");
});

/** An answer that was interrupted after its first piece. @param {import("node:test").TestContext} t */
async function interrupted(t) {
  const server = await LogServer.start(t);
  const reading = new Reading();
  const heard = view(t, reading);
  server.append("delta", { text: PIECES[0] });
  const first = reading.follow("hi", chat(server, { reconnect: false }));
  await heard.stands("open");
  server.cut();
  assert.equal(await first, "interrupted");
  return { server, reading, heard };
}

/** @param {LogServer} server @param {string} text of the snapshot @param {string} whole */
function answerWhole(server, text, whole) {
  server.script.push((response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream", "X-Stream-Id": STREAM });
    const end = encode("done", done(whole), `${STREAM}:3`);
    response.end(`${server.hello(0)}${encode("delta", { text }, `${STREAM}:2`)}${end}`);
  });
}

test("what is resumed is checked from its start, and shown once", async (t) => {
  const { server, reading, heard } = await interrupted(t);
  answerWhole(server, `${PIECES[0]}and the rest`, `${PIECES[0]}and the rest`);
  const ended = heard.stands("done");
  reading.resume();
  await ended;
  assert.deepEqual([heard.text, heard.clears], [`${PIECES[0]}and the rest`, 1]);
  assert.equal(server.visits.at(-1)?.url.searchParams.get("snapshot"), "1");
});

test("a resumed text that does not match its checksum is an error", async (t) => {
  const { server, reading, heard } = await interrupted(t);
  answerWhole(server, PIECES[0] ?? "", "another");
  const ended = heard.stands("error");
  reading.resume();
  await ended;
  const { code } = reading.standing.detail;
  assert.equal(code, "payload_mismatch");
});

for (const text of ["Hell", "Another text"])
  test(`a resumed text that is another replaces what was shown: ${text}`, async (t) => {
    const { server, reading, heard } = await interrupted(t);
    answerWhole(server, text, text);
    const ended = heard.stands("done");
    reading.resume();
    await ended;
    assert.deepEqual([heard.text, reading.text, heard.clears], [text, text, 2]);
  });

test("a question that takes the place of one that is not answered yet ends its run", async (t) => {
  const server = await LogServer.start(t);
  const reading = new Reading();
  const heard = view(t, reading);
  /** @type {(answer: () => unknown) => void} */
  let asked = () => {};
  const first = new Promise((resolve) => {
    asked = resolve;
  });
  const stopped = new Promise((resolve) => {
    server.script = [
      (response, visit) => asked(() => server.answer(response, visit)),
      () => {},
      (response, { method }) => resolve([method, response.writeHead(204).end()][0]),
    ];
  });
  const left = reading.follow("first", chat(server));
  const answer = await first;
  reading.stop();
  reading.follow("second", chat(server));
  answer();
  assert.equal(await stopped, "DELETE");
  assert.equal(await left, "closed");
  assert.deepEqual([reading.question, heard.states.includes("open")], ["second", false]);
  reading.close();
});

test("cut comes back at once, stop ends the run", async (t) => {
  const server = await LogServer.start(t);
  const reading = new Reading();
  const heard = view(t, reading);
  const outcome = reading.follow("hi", chat(server));
  await heard.stands("open");
  server.append("delta", { text: PIECES[0] });
  const again = heard.stands("open");
  reading.cut();
  await again;
  await reading.stop();
  assert.equal(await outcome, "stopped");
  assert.deepEqual([heard.text, server.starts], [PIECES[0], 1]);
});

test("a text that someone else has read is shown, without repeating what is there", async (t) => {
  const reading = new Reading();
  const heard = view(t, reading);
  reading.settle("Hello", "waiting");
  reading.settle("Hello, world", "done");
  assert.deepEqual([heard.text, heard.clears, reading.standing.state], ["Hello, world", 0, "done"]);
  reading.settle("Another", "error", "words");
  assert.deepEqual([heard.text, heard.clears], ["Another", 1]);
  assert.deepEqual(reading.standing.detail, { code: "", message: "words" });
});

test("a reset forgets the text", async (t) => {
  const server = (await LogServer.start(t)).fill();
  server.script.push((response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream", "X-Stream-Id": STREAM });
    const wrong = encode("done", { reason: "stop", tokens: 1, chars: 1, crc32: 1 }, `${STREAM}:2`);
    response.end(`${server.hello(0)}${encode("delta", { text: "wrong" }, `${STREAM}:1`)}${wrong}`);
  });
  const reading = new Reading();
  const heard = view(t, reading);
  assert.equal(await reading.follow("hi", chat(server)), "done");
  assert.deepEqual([heard.text, heard.clears], [TEXT, 2]);
});
