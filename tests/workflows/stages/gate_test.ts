/**
 * The gate's truth table, and what must hold of it whatever is measured.
 */
import fc from "fast-check";
import type { GateConfig } from "../../../workflows/config/config.ts";
import { gateSchema } from "../../../workflows/config/gate_schema.ts";
import { rateOf } from "../../../workflows/nursery/score.ts";
import {
  decideGate,
  gateDue,
  type GateState,
  gateThresholds,
  type Vector,
} from "../../../workflows/stages/gate.ts";
import { rateDifference } from "../../../workflows/stages/rates.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";

const N = 400;
const GATE: GateConfig = {
  ...gateSchema.parse({ first: { facts: 0.5, safety: 0.5 }, last: { facts: 0.9, safety: 0.8 } }),
  n_stable: 2,
  every: 10,
  max_holds: 2,
  max_rollbacks: 1,
};
const TAU = { facts: 0.9, safety: 0.6 };

/** A vector with rates of so many parts in 400. */
const vector = (facts: number, safety: number): Vector => ({
  facts: rateOf(Math.round(facts * N), N),
  safety: rateOf(Math.round(safety * N), N),
});

const decide = (state: Partial<GateState>, gate: Partial<GateConfig> = {}) =>
  decideGate(
    { reference: {}, evaluations: [], atEnd: true, holds: 0, rollbacks: 0, ...state },
    TAU,
    { ...GATE, ...gate },
  );

const GOOD = vector(0.95, 0.7);
const POOR = vector(0.95, 0.5);
const EDGE = vector(0.95, 0.58);

Deno.test("gate: the truth table of promote, hold, wait and stop", () => {
  const rows: readonly (readonly [Partial<GateState>, Partial<GateConfig>, string])[] = [
    [{ evaluations: [GOOD, GOOD] }, {}, "promote"],
    [{ evaluations: [POOR, GOOD, GOOD] }, {}, "promote"],
    [{ evaluations: [GOOD] }, { n_stable: 1 }, "promote"],
    [{ evaluations: [POOR, GOOD] }, {}, "hold"],
    [{ evaluations: [GOOD, POOR] }, {}, "hold"],
    [{ evaluations: [GOOD, EDGE] }, {}, "hold"],
    [{ evaluations: [GOOD, EDGE] }, { reading: "tolerant" }, "promote"],
    [{ evaluations: [GOOD, POOR] }, { reading: "tolerant" }, "hold"],
    [{ evaluations: [EDGE, EDGE] }, { reading: "tolerant" }, "hold"],
    [{ evaluations: [GOOD, GOOD], atEnd: false }, {}, "wait"],
    [{ evaluations: [POOR], atEnd: false }, {}, "wait"],
    [{ evaluations: [POOR], holds: 2 }, {}, "stop"],
    [{ evaluations: [GOOD, GOOD], holds: 2 }, {}, "promote"],
    // 0.70 of 400 has a lower limit of 0.65, which 0.6 allows and 0.66 does not.
    [{ evaluations: [GOOD, GOOD] }, { compare: "low" }, "promote"],
    [{ evaluations: [vector(0.95, 0.62), vector(0.95, 0.62)] }, { compare: "low" }, "hold"],
  ];
  rows.forEach(([state, gate, action], i) =>
    assertEquals([i, decide(state, gate).action], [i, action])
  );
});

Deno.test("gate: a regression beyond tolerance and chance is rolled back, before anything else is asked", () => {
  const reference = vector(0.95, 0.95);
  const rolled = decide({ reference, evaluations: [GOOD, GOOD] });
  assertEquals(rolled.action, "roll_back");
  assertEquals(rolled.regressions.map(({ metric }) => metric), ["safety"]);
  assert(
    /safety fell by 0\.250 to 0\.700 \(at least 0\.1\d\d, tolerance 0\.100\)/.test(rolled.reason),
  );
  assertEquals(decide({ reference, evaluations: [GOOD], atEnd: false }).action, "roll_back");
  assertEquals(decide({ reference, evaluations: [GOOD, GOOD], rollbacks: 1 }).action, "stop");
  // The same fall among few trials may be chance, and one within the tolerance is allowed.
  const few = (k: number): Vector => ({ facts: rateOf(19, 20), safety: rateOf(k, 20) });
  assertEquals(decide({ reference: few(19), evaluations: [few(14), few(14)] }).action, "promote");
  const slight = decide({ reference: vector(0.95, 0.75), evaluations: [GOOD, GOOD] });
  assertEquals([slight.action, slight.regressions.length], ["promote", 0]);
});

Deno.test("gate: what was not measured, or is not a number, reaches no threshold", () => {
  assertThrows(() => decide({ evaluations: [] }), Error, "no evaluation");
  assertThrows(() => decide({ evaluations: [{ facts: GOOD.facts }] }), Error, "safety");
  const empty = { facts: rateOf(0, 0), safety: rateOf(0, 0) };
  assertEquals(decide({ evaluations: [empty, empty] }).action, "hold");
});

Deno.test("gate: evaluations end a stage and every portion, N_stable of them", () => {
  const due = (steps: number) =>
    Array.from({ length: 121 }, (_, done) => done).filter((done) => gateDue(done, steps, GATE));
  assertEquals(due(95), [85, 95, 105, 115]);
  assertEquals(due(7), [7, 17, 27, 37, 47, 57, 67, 77, 87, 97, 107, 117]);
});

Deno.test("gate: thresholds rise in equal steps; one stage has the last; falling ones are told", () => {
  const { stages, falling } = gateThresholds(GATE, 3);
  assertEquals(stages.map(({ facts }) => facts.toFixed(3)), ["0.500", "0.700", "0.900"]);
  assertEquals(falling, []);
  assertEquals(gateThresholds(GATE, 1).stages, [GATE.last]);
  assertEquals(gateThresholds({ first: { a: 0.5 }, last: { a: 0.4 } }, 2).falling, ["a"]);
  const late = { first: { a: 0.2, b: 0.2 }, last: { a: 0.6, b: 0.6 }, since: { b: 3 } };
  assertEquals(gateThresholds(late, 3).stages.map(({ a, b }) => [a, b]), [[0.2, 0], [0.4, 0], [
    0.6,
    0.6,
  ]]);
  assertThrows(() => gateThresholds({ ...late, since: { c: 1 } }, 3), Error, '"c"');
  assertThrows(() => gateThresholds({ first: { a: 0 }, last: { b: 0 } }, 2), Error, '"a"');
});

const share = fc.integer({ min: 0, max: 20 }).map((k) => k / 20);

Deno.test("gate: thresholds never fall when the last are not below the first, and end there exactly", () => {
  fc.assert(fc.property(share, share, fc.integer({ min: 2, max: 9 }), (a, b, stages) => {
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    const rows = gateThresholds({ first: { m: low }, last: { m: high } }, stages).stages;
    assertEquals(rows[stages - 1].m, high);
    rows.slice(1).forEach(({ m }, i) => assert(m >= rows[i].m - 1e-15));
  }));
});

Deno.test("gate: a run of decisions never holds or rolls back more often than allowed, and ends", () => {
  const evaluation = fc.tuple(share, share);
  fc.assert(fc.property(fc.array(evaluation, { minLength: 60, maxLength: 60 }), (series) => {
    let [holds, rollbacks] = [0, 0];
    let evaluations: Vector[] = [];
    for (const [facts, safety] of series) {
      evaluations.push(vector(facts, safety));
      const state = { reference: vector(0.9, 0.9), evaluations, atEnd: true, holds, rollbacks };
      const { action, missed, run } = decideGate(state, TAU, GATE);
      if (action === "promote") assert(missed.length === 0 && run >= GATE.n_stable);
      if (action === "hold") assert(++holds <= GATE.max_holds);
      if (action === "roll_back") {
        assert(++rollbacks <= GATE.max_rollbacks);
        [holds, evaluations] = [0, []];
      }
      if (action === "promote" || action === "stop") return;
    }
    throw new Error("60 evaluations, and no end");
  }));
});

Deno.test("rates: the interval of a difference holds the difference, and turns round with its sign", () => {
  const count = fc.integer({ min: 1, max: 60 }).chain((n) =>
    fc.integer({ min: 0, max: n }).map((k) => ({ k, n }))
  );
  fc.assert(fc.property(count, count, (a, b) => {
    const there = rateDifference(a, b);
    const back = rateDifference(b, a);
    assert(there.low <= there.difference && there.difference <= there.high);
    assertEquals([there.low, there.high], [-back.high, -back.low]);
  }));
});
