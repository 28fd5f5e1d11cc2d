import assert from "node:assert/strict";
import { test } from "node:test";
import { FRESH_MS, Times } from "../../sse_widget/js/times.js";
import { Courier } from "../../sse_widget/js/transport/courier.js";
import { Endpoint } from "../../sse_widget/js/transport/endpoint.js";
import { platformOf } from "../../sse_widget/js/transport/platform.js";
import { Clock, LogServer, refuse } from "./log_server.js";

/** What a page knows of a server's clock, which it reaches without a delay. @param {import("node:test").TestContext} t */
async function times(t) {
  const clock = new Clock();
  const platform = platformOf({ now: clock.now });
  const meet = async () => {
    const server = await LogServer.start(t);
    const courier = new Courier(new Endpoint(server.chatUrl, {}, platform), platform);
    /** The next exchange finds the server's clock so far ahead of the page's. @param {number} offsetNs */
    const ahead = (offsetNs) => {
      const ns = 1e6 * clock.now() + offsetNs;
      server.script.push(
        refuse(200, { "Content-Type": "application/json" }, JSON.stringify({ received: ns, sent: ns })),
      );
    };
    const fail = () => server.script.push(refuse(503));
    return { server, courier, ahead, fail };
  };
  return { clock, times: new Times(clock.now), meet };
}

test("a clock that is known serves what comes soon after, and is renewed later", async (t) => {
  const parts = await times(t);
  const { server, courier, ahead } = await parts.meet();
  for (const _ of [1, 2]) ahead(7000);
  await parts.times.ask(courier, 2);
  assert.deepEqual([parts.times.clock.offsetNs, parts.times.clock.errorNs], [7000, 0]);
  parts.clock.advance(FRESH_MS);
  await parts.times.ask(courier, 2);
  assert.equal(server.visits.length, 2);
  parts.clock.advance(1);
  ahead(9000);
  await parts.times.ask(courier, 1);
  assert.equal(parts.times.clock.offsetNs, 9000);
});

test("an exchange that fails leaves the old clock, and the next one renews it", async (t) => {
  const parts = await times(t);
  const { courier, ahead, fail } = await parts.meet();
  ahead(7000);
  await parts.times.ask(courier, 1);
  parts.clock.advance(FRESH_MS + 1);
  fail();
  await parts.times.ask(courier, 1, true);
  assert.equal(parts.times.clock.offsetNs, 7000);
  ahead(9000);
  await parts.times.ask(courier, 1);
  assert.equal(parts.times.clock.offsetNs, 9000);
});

test("of another server nothing is known, and the late answer of the one before does not count", async (t) => {
  const parts = await times(t);
  const [one, other] = [await parts.meet(), await parts.meet()];
  one.ahead(7000);
  await parts.times.ask(one.courier, 1);
  other.fail();
  await parts.times.ask(other.courier, 1);
  assert.equal(parts.times.clock.offsetNs, null);
  one.ahead(7000);
  const late = parts.times.ask(one.courier, 1);
  other.ahead(9000);
  await parts.times.ask(other.courier, 1);
  await late;
  assert.equal(parts.times.clock.offsetNs, 9000);
});
