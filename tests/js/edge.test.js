/** The edge function for Vercel, called as Vercel calls it, before the real server. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import handler, { config } from "../../infra/vercel/api/stream.mjs";
import { startServer } from "./real_server.js";

const TOKEN = "the-token-of-the-project";
const folder = mkdtempSync(join(tmpdir(), "edge-"));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "token"), TOKEN);
const server = await startServer({ after }, `--token-file=${join(folder, "token")}`, "--rate-limit=off");
Object.assign(process.env, { SSE_SERVER_URL: server.url, SSE_SERVER_TOKEN: TOKEN });

const ASK = { q: "?", model: "synthetic:tokens=9,rate=0,seed=3", chunk_tokens: 1 };
const CHAT = "https://page.example/api/v1/stream/chat";

/** @param {object} body @param {AbortSignal} [signal] */
function asking(body, signal) {
  const headers = { "Content-Type": "application/json" };
  return new Request(CHAT, {
    method: "POST",
    body: JSON.stringify(body),
    headers,
    ...(signal ? { signal } : {}),
  });
}

/** @param {string} body */
const idsOf = (body) => [...body.matchAll(/^id: (.+)$/gm)].map(([, id]) => id ?? "");

test("a whole answer comes back, as the server wrote it, with the token of the project", async () => {
  assert.equal(config.runtime, "edge");
  const answer = await handler(asking(ASK));
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type") ?? "", /^text\/event-stream/);
  assert.match(answer.headers.get("cache-control") ?? "", /no-transform/);
  assert.match(await answer.text(), /event: done/);
});

test("it resumes, also by the address that the rewrite makes", async () => {
  const answer = await handler(asking(ASK));
  const ids = idsOf(await answer.text());
  const stream = answer.headers.get("x-stream-id");
  const places = [
    `https://page.example/api/v1/stream/runs/${stream}`,
    `https://page.example/api/stream?path=runs/${stream}`,
  ];
  for (const url of places) {
    const rest = await handler(new Request(url, { headers: { "Last-Event-ID": ids[4] ?? "" } }));
    assert.deepEqual(idsOf(await rest.text()).slice(1), ids.slice(5));
  }
  const once = await handler(new Request(`${places[1]}&after=3&once=1`));
  assert.deepEqual(idsOf(await once.text()).slice(1), ids.slice(4));
});

test("events pass before the answer has ended, and who leaves is gone from the server", async () => {
  const leaving = new AbortController();
  const answer = await handler(asking({ ...ASK, model: "synthetic:tokens=100000,rate=50" }, leaving.signal));
  const stream = answer.headers.get("x-stream-id");
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  let seen = "";
  while (!seen.includes("event: delta")) {
    const { value, done } = await reader.read();
    assert.ok(!done);
    seen += new TextDecoder().decode(value);
  }
  leaving.abort();
  await assert.rejects(async () => {
    while (!(await reader.read()).done);
  });
  const patience = Date.now() + 20_000;
  while ((await server.health()).connections > 0)
    assert.ok(Date.now() < patience, "the reader is still there");
  const url = `https://page.example/api/v1/stream/runs/${stream}`;
  assert.equal((await handler(new Request(url, { method: "DELETE" }))).status, 202);
});

test("nothing but streams is passed on, however the path is written", async () => {
  for (const path of ["../clock", "..%2Fclock", "%2e%2e/clock", "../../../metrics"]) {
    const answer = await handler(new Request(`https://page.example/api/stream?path=${path}`));
    assert.equal(answer.status, 404, path);
  }
  assert.equal((await handler(new Request("https://page.example/admin"))).status, 404);
});

test("what it cannot do, it says", async () => {
  assert.equal((await handler(new Request("https://page.example/api/v1/stream/ws"))).status, 501);
  Object.assign(process.env, { SSE_SERVER_URL: "http://127.0.0.1:9" });
  assert.equal((await (await handler(asking(ASK))).json()).code, "upstream_error");
  Reflect.deleteProperty(process.env, "SSE_SERVER_URL");
  assert.match((await (await handler(asking(ASK))).json()).detail, /SSE_SERVER_URL/);
  Object.assign(process.env, { SSE_SERVER_URL: server.url });
});
