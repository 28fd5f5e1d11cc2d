import assert from "node:assert/strict";
import { test } from "node:test";
import { beside, Parts } from "../../sse_widget/js/parts.js";

test("a part is loaded once for everyone who asks", async () => {
  const asked = /** @type {string[]} */ ([]);
  const parts = new Parts(async (name) => ({ name, count: asked.push(name) }));
  const [one, other] = await Promise.all([parts.get("math"), parts.get("math")]);
  assert.equal(one, other);
  assert.deepEqual(asked, ["math"]);
});

test("a part that could not be had is null, and is tried again", async () => {
  let reachable = false;
  const parts = new Parts(async () => {
    if (!reachable) throw new TypeError("Failed to fetch");
    return { ready: true };
  });
  assert.equal(await parts.get("code"), null);
  reachable = true;
  assert.deepEqual(await parts.get("code"), { ready: true });
});

test("who could not be given a part hears when there is hope again", () => {
  const parts = new Parts(async () => null);
  const view = new AbortController();
  let heard = 0;
  parts.onHope(() => heard++, view.signal);
  parts.hope();
  view.abort();
  parts.hope();
  assert.equal(heard, 1);
});

test("a part lies beside the module that is named", async () => {
  await assert.rejects(() => beside("file:///nowhere/sse.js")("math"), /nowhere\/part-math\.js/);
});
