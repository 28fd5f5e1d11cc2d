import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { Chance, mix } from "../../sse_widget/js/protocol/chance.js";
import { MAX_PIECES } from "../../sse_widget/js/protocol/disturbance.js";
import { InvalidPlan, KINDS } from "../../sse_widget/js/protocol/fault_steps.js";
import { FaultPlan } from "../../sse_widget/js/protocol/faults.js";
import { journey } from "./journey.js";

/** @typedef {import("../../sse_widget/js/protocol/disturbance.js").Happening} Happening */

/** @param {string} name */
const read = (name) => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8"));
const vectors = read("faults");
const journeys = read("faults_journeys");

/** @param {FaultPlan} plan @param {[number, Uint8Array][]} frames @param {number} endMs @param {number} [attempt] */
function happeningsOf(plan, frames, endMs, attempt = 1) {
  const disturbance = plan.disturb(attempt);
  const happenings = frames.flatMap(([atMs, frame]) => disturbance.feed(frame, atMs));
  return [...happenings, ...disturbance.end(endMs)];
}

/** @param {Happening[]} happenings */
const sent = (happenings) =>
  Buffer.concat(happenings.flatMap((one) => (one.do === "sent" ? [one.data] : [])));

/** @param {Happening} happening */
const plain = ({ atMs, ...rest }) =>
  rest.do === "over" ? { atMs, broken: rest.broken } : { atMs, hex: Buffer.from(rest.data).toString("hex") };

for (const { name, plan, attempt, frames, end_ms, happenings } of vectors.cases) {
  test(`case: ${name}`, () => {
    const fed = frames.map((/** @type {[number, string]} */ [atMs, text]) => [atMs, Buffer.from(text)]);
    const want = happenings.map((/** @type {any} */ { at_ms: atMs, broken, bytes = "", hex }) =>
      broken === undefined ? { atMs, hex: hex ?? Buffer.from(bytes).toString("hex") } : { atMs, broken },
    );
    assert.deepEqual(happeningsOf(FaultPlan.of(plan), fed, end_ms, attempt).map(plain), want);
  });
}

test("a bad plan names the step and the field", () => {
  for (const { value, message, step, field } of vectors.invalid) {
    assert.throws(
      () => FaultPlan.of(value),
      (error) => {
        assert.ok(error instanceof InvalidPlan);
        assert.deepEqual(
          { message: error.message, step: error.step, field: error.field },
          { message, step, field },
        );
        assert.equal(error.code, "invalid_request");
        return true;
      },
    );
  }
  for (const text of ["", "{", "\ufffd", '{"seed":1}}', "NaN"]) {
    assert.throws(() => FaultPlan.parse(text), { message: "fault plan: it is no JSON" });
  }
  assert.throws(() => FaultPlan.parse(" ".repeat(16_385)), {
    message: "fault plan: it is longer than 16384 characters",
  });
});

test("dumps and drawn plans", () => {
  for (const [value, dump] of vectors.dumps) {
    assert.equal(FaultPlan.of(value).dump(), dump);
    assert.equal(FaultPlan.parse(dump).dump(), dump);
  }
  for (const { seed, bounds, dump } of vectors.drawn)
    assert.equal(FaultPlan.random(seed, bounds).dump(), dump);
  for (const bounds of [{ attempts: 9 }, { steps: 0 }, { events: 1001 }]) {
    assert.throws(() => FaultPlan.random(1, bounds), { field: Object.keys(bounds)[0] });
  }
});

test("chance", () => {
  for (const { words, next } of vectors.words) {
    const chance = Chance.ofWords(words);
    assert.deepEqual(
      next.map(() => chance.word()),
      next,
    );
  }
  for (const { seed, stream, next, unit, ...bounded } of vectors.seeded) {
    const chance = new Chance(seed, stream);
    assert.deepEqual(
      next.map(() => chance.word()),
      next,
    );
    for (const bound of [1000, 3_221_225_472]) {
      const want = bounded[`below_${bound}`];
      assert.deepEqual(
        want.map(() => chance.below(bound)),
        want,
      );
    }
    assert.equal(chance.unit(), unit);
  }
  for (const [word, mixed] of vectors.mixes) assert.equal(mix(word), mixed);
});

test("a refusal is of one attempt", () => {
  const plan = FaultPlan.of({
    seed: 1,
    steps: [{ attempt: 2, kind: "refuse", status: 429, retry_after_s: 3 }],
  });
  assert.deepEqual(
    [1, 2, 3].map((attempt) => plan.refusal(attempt)),
    [null, { status: 429, retryAfterS: 3 }, null],
  );
});

test("a long frame drips in few pieces at the same rate", () => {
  const plan = FaultPlan.of({ seed: 1, steps: [{ attempt: 1, kind: "drip", bytes: 2, ms: 3 }] });
  const happenings = happeningsOf(plan, [[0, new Uint8Array(100_000)]], 0);
  assert.ok(happenings.length <= MAX_PIECES + 1);
  assert.equal(sent(happenings).length, 100_000);
  const lastMs = happenings.at(-1)?.atMs ?? 0;
  assert.ok(lastMs >= 149_900 && lastMs <= 150_000);
});

const plans = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 1, max: 12 }))
  .map(([seed, events]) => FaultPlan.random(seed, { attempts: 1, steps: 8, events }));
const fed = fc.array(fc.tuple(fc.nat(1000), fc.uint8Array({ maxLength: 40 })), { maxLength: 12 });

test("time never runs backward, and the end comes once", () => {
  fc.assert(
    fc.property(plans, fed, (plan, gaps) => {
      let atMs = 0;
      const frames = gaps.map(([gapMs, frame]) => {
        atMs += gapMs;
        return /** @type {[number, Uint8Array]} */ ([atMs, frame]);
      });
      const happenings = happeningsOf(plan, frames, atMs);
      const times = happenings.map((one) => one.atMs);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
      assert.equal(
        happenings.findIndex((one) => one.do === "over"),
        happenings.length - 1,
      );
      assert.deepEqual(happenings, happeningsOf(FaultPlan.parse(plan.dump()), frames, atMs));
    }),
  );
});

test("what only takes time loses nothing", () => {
  const slow = ["stall", "delay", "jitter", "drip", "buffer"];
  fc.assert(
    fc.property(plans, fed, (plan, frames) => {
      const steps = plan.steps.filter(({ kind }) => slow.includes(kind));
      const whole = Buffer.concat(frames.map(([, frame]) => frame));
      assert.deepEqual(sent(happeningsOf(new FaultPlan(plan.seed, steps), frames, 1000)), whole);
    }),
  );
});

/** Other seeds than in Python. */
const FIRST_SEED = 1_000_000;
const PLANS = 2000;
/** Kinds that may spoil what is read again, too; of the others, only a refusal for good cannot be mended. */
const SPOILING = ["truncate", "corrupt", "reorder"];
const FOR_GOOD = [404, 410];
/** @type {Record<string, string[]>} */
const HONEST = {
  error: ["payload_mismatch", "not_found", "expired"],
  gap: ["gap"],
  interrupted: ["connect_failed", "overloaded", "rate_limited"],
};

/** The only terminal of a journey. @param {import("./journey.js").Journey} reader */
function endOf({ terminals: [terminal, ...more] }) {
  assert.ok(terminal && more.length === 0);
  return terminal;
}

/** @param {Map<string, number>} counts @param {string} name */
const count = (counts, name) => counts.set(name, (counts.get(name) ?? 0) + 1);

/** @param {number} seed */
const drawn = (seed) => FaultPlan.random(seed, journeys.bounds);

test("the text is right, or the state is honest", (t) => {
  const states = new Map([...Object.keys(HONEST), "done"].map((state) => [state, 0]));
  const reached = new Map(KINDS.map((kind) => [String(kind), 0]));
  let mended = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + PLANS; seed++) {
    const plan = drawn(seed);
    const reader = journey(seed, plan).run();
    const { state, code } = endOf(reader);
    if (state === "done") assert.equal(reader.text, reader.log.text, `seed ${seed}: ${plan.dump()}`);
    else assert.ok(HONEST[state]?.includes(code), `seed ${seed}: ${state} ${code}`);
    if (
      reader.patient &&
      !plan.steps.some(({ kind, status }) => SPOILING.includes(kind) || FOR_GOOD.includes(status))
    ) {
      mended += 1;
      assert.equal(state, "done", `seed ${seed}: ${plan.dump()}`);
    }
    assert.deepEqual([...reader.session.tick(reader.nowMs + 1e9), ...reader.session.ended(reader.nowMs)], []);
    const again = journey(seed, FaultPlan.parse(plan.dump())).run();
    assert.equal(again.received, reader.received, "other bytes by the same plan");
    count(states, state);
    for (const kind of reader.reached) count(reached, kind);
  }
  t.diagnostic(`${[...states].join(" ")} | ${[...reached].join(" ")} | ${mended} without spoiling`);
  assert.ok((states.get("done") ?? 0) >= 0.8 * PLANS);
  assert.ok(Math.min(...states.values()) >= 5);
  assert.ok(mended >= 100);
  assert.equal(reached.size, KINDS.length);
  assert.ok(Math.min(...reached.values()) >= 20);
});

test("both languages go the same way", () => {
  for (const said of journeys.journeys) {
    const { seed } = said;
    const reader = journey(seed, drawn(seed)).run();
    const { state, code } = endOf(reader);
    assert.deepEqual(
      {
        seed,
        state,
        code,
        connections: reader.session.connection,
        received_crc32: reader.received,
        reached: [...reader.reached].sort(),
      },
      said,
    );
  }
});
