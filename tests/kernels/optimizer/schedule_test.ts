/**
 * Learning-rate schedules against values of Hugging Face's formulas, the knobs, and the loss scaler's rules.
 */
import fc from "fast-check";
import { LossScaler } from "../../../kernels/optimizer/loss_scaler.ts";
import {
  knobValues,
  learningRate,
  type ScheduleSettings,
} from "../../../kernels/optimizer/schedule.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";

const base = { learningRate: 1, warmupSteps: 4, totalSteps: 14 } as const;

Deno.test("schedules pass through their known points", () => {
  const rate = (step: number, settings: Partial<ScheduleSettings>) =>
    learningRate(step, { ...base, kind: "constant", ...settings });
  for (const kind of ["constant", "linear", "cosine"] as const) {
    assertEquals([0, 1, 3, 4].map((step) => rate(step, { kind })), [0, 0.25, 0.75, 1]);
  }
  assertEquals(rate(1000, { kind: "constant" }), 1);
  assertAlmostEquals(rate(9, { kind: "linear" }), 0.5);
  assertAlmostEquals(rate(14, { kind: "linear" }), 0);
  assertAlmostEquals(rate(9, { kind: "cosine" }), 0.5);
  assertAlmostEquals(rate(6, { kind: "cosine" }), 0.5 * (1 + Math.cos(0.2 * Math.PI)));
  assertAlmostEquals(rate(14, { kind: "cosine", minRatio: 0.1 }), 0.1);
  assertAlmostEquals(rate(9, { kind: "cosine", minRatio: 0.1 }), 0.55);
  assertAlmostEquals(rate(99, { kind: "linear", minRatio: 0.1 }), 0.1);
});

Deno.test("property: the rate stays within bounds, rises in warm-up and never rises after it", () => {
  fc.assert(fc.property(
    fc.constantFrom("constant" as const, "linear" as const, "cosine" as const),
    fc.nat(50),
    fc.integer({ min: 1, max: 200 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.nat(300),
    (kind, warmupSteps, rest, minRatio, step) => {
      const settings = {
        kind,
        learningRate: 3,
        warmupSteps,
        totalSteps: warmupSteps + rest,
        minRatio,
      };
      const [now, next] = [learningRate(step, settings), learningRate(step + 1, settings)];
      assert(now >= 0 && now <= 3);
      if (step < warmupSteps) assert(next >= now);
      else assert(next <= now + 1e-12 && now >= 3 * minRatio - 1e-12);
    },
  ));
});

Deno.test("knobs hold the bias corrections of the updates that were made", () => {
  const settings = {
    schedule: { ...base, kind: "constant" as const },
    beta1: 0.9,
    beta2: 0.999,
    maxGradNorm: 2,
  };
  const knobs = knobValues(9, { ...settings, lossScale: 8, skipped: 3 });
  assertEquals(knobs.length, 16);
  assertEquals(
    Array.from(knobs.subarray(0, 5)),
    [1, 1 - 0.9 ** 7, 1 - 0.999 ** 7, 2, 0.125].map(Math.fround),
  );
  assert(knobs.subarray(5).every((x) => x === 0));
  assertThrows(() => knobValues(2, { ...settings, skipped: 3 }), Error, "optimizer step");
});

Deno.test("the loss scale halves on overflow, doubles after an interval of good steps, and resumes", () => {
  const scaler = new LossScaler(undefined, 3);
  assertEquals(scaler.scale, 65_536);
  scaler.update(true);
  assertEquals(scaler.scale, 32_768);
  scaler.update(false);
  scaler.update(false);
  scaler.update(true); // starts the count again
  assertEquals(scaler.state, { scale: 16_384, goodSteps: 0 });
  scaler.update(false);
  scaler.update(false);
  const resumed = new LossScaler(scaler.state, 3);
  resumed.update(false);
  assertEquals(resumed.state, { scale: 32_768, goodSteps: 0 });
  const largest = new LossScaler({ scale: 2 ** 127, goodSteps: 2 }, 3);
  largest.update(false);
  assertEquals(largest.scale, 2 ** 127);
});
