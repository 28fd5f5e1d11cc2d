import assert from "node:assert/strict";
import { test } from "node:test";
import { Faults } from "../../sse_widget/js/knobs/faults.js";
import {
  choiceOf,
  kindsOf,
  planOf,
  reseeded,
  SITUATION_NAMES,
  SWITCHED,
  spread,
  switched,
  textOf,
} from "../../sse_widget/js/knobs/plans.js";
import { KINDS } from "../../sse_widget/js/protocol/fault_steps.js";
import { FaultPlan } from "../../sse_widget/js/protocol/faults.js";

/** @param {string} text */
const read = (text) => /** @type {FaultPlan} */ (planOf(text).plan);

test("what is chosen is a plan, and is known again", () => {
  for (const choice of [...SITUATION_NAMES, /** @type {const} */ ("drawn")]) {
    const plan = read(textOf(choice, 7));
    assert.equal(plan.seed, 7);
    assert.equal(choiceOf(plan), choice);
    assert.equal(choiceOf(FaultPlan.parse(spread(plan))), choice);
  }
  assert.equal(textOf("none", 7), "");
  assert.equal(choiceOf(null), "none");
  assert.equal(choiceOf(FaultPlan.of({ seed: 1, steps: [] })), "custom");
});

test("every kind is switched on by a step and off with all of its kind", () => {
  assert.deepEqual(SWITCHED, KINDS);
  let text = "";
  for (const kind of SWITCHED) text = switched(planOf(text).plan, kind, true, 5);
  assert.deepEqual([...kindsOf(read(text))], [...KINDS]);
  assert.equal(read(text).seed, 5);
  assert.equal(choiceOf(read(text)), "custom");
  for (const kind of SWITCHED) text = switched(read(text), kind, false, 5);
  assert.equal(text, "");
  const letter = read(textOf("letter", 1));
  assert.equal(switched(letter, "cut", false, 1), "");
});

test("another seed draws anew what was drawn, and keeps the steps of what was not", () => {
  const drawn = read(textOf("drawn", 3));
  assert.equal(reseeded(drawn, 4), FaultPlan.random(4).dump());
  const slow = read(textOf("slow", 3));
  const other = read(reseeded(slow, 4));
  assert.deepEqual({ seed: other.seed, steps: other.steps }, { seed: 4, steps: slow.steps });
});

test("what is no plan says why, and nothing is none", () => {
  assert.deepEqual(planOf(" \n"), { plan: null, problem: null });
  const { plan, problem } = planOf('{"seed": 1, "steps": [{"attempt": 1, "kind": "stall"}]}');
  assert.equal(plan, null);
  assert.equal(problem?.message, "fault plan: steps[0].ms must be a whole number from 1 to 600000");
});

test("whether faults are allowed is asked once, when somebody looks", () => {
  let asked = 0;
  const faults = new Faults(() => asked++);
  assert.equal(asked, 0);
  faults.seen();
  faults.seen();
  assert.equal(asked, 1);
});

test("a plan goes with the URL of the stream that it is to spoil", () => {
  const faults = new Faults();
  const view = new AbortController();
  /** @type {string[]} */
  const heard = [];
  faults.listen((origin) => heard.push(origin), view.signal);
  const url = () => new URL("http://a.test/api/v1/stream/chat");
  assert.equal(faults.onto(url()).search, "");
  faults.set({ allowed: true, text: '{"seed":1}' });
  faults.set({ allowed: true, text: '{"seed":1}' });
  assert.equal(faults.onto(url()).searchParams.get("fault"), '{"seed":1}');
  assert.equal(faults.running, '{"seed":1}');
  assert.equal(faults.onto(url(), "").search, "");
  assert.equal(faults.running, "");
  faults.set({ text: "" }, "kernel");
  view.abort();
  faults.set({ text: '{"seed":2}' });
  assert.deepEqual(heard, ["kernel", "page", "kernel", "kernel", "kernel"]);
});
