/** Scalarisations, attainment, trade-off rates and lambda*. */
import fc from "fast-check";
import { attainment, attainmentSurface } from "../../../workflows/pareto/attainment.ts";
import { tchebycheffOnCurve, weightedSumOnCurve } from "../../../workflows/pareto/curve.ts";
import { front, weaklyDominates } from "../../../workflows/pareto/front.ts";
import { lambdaStar } from "../../../workflows/pareto/lambda_star.ts";
import {
  epsilonConstraint,
  support,
  supportingWeights,
  tchebycheff,
  weightedSum,
} from "../../../workflows/pareto/scalarise.ts";
import {
  knees,
  rateOfWeight,
  tradeOffRate,
  tradeOffRates,
  weightOfRate,
} from "../../../workflows/pareto/tradeoff.ts";
import { InputError } from "../../../kernels/errors.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";

const tenth = fc.integer({ min: 0, max: 10 }).map((value) => value / 10);
const points = fc.array(fc.tuple(tenth, tenth), { minLength: 1, maxLength: 8 });
const weight = fc.double({ min: 0.001, max: 0.999, noNaN: true });

Deno.test("weighted sum: finds only Pareto points, and exactly the supported ones", () => {
  fc.assert(fc.property(points, weight, (list, w) => {
    const optimal = front(list);
    const found = weightedSum(list, [w, 1 - w]);
    assert(found.every((i) => optimal.includes(i)));
    const { supported, unsupported } = support(list);
    assert(found.every((i) => supported.includes(i)));
    assertEquals([...supported, ...unsupported].sort(), [...optimal].sort());
    supportingWeights(list).forEach((interval, i) => {
      if (interval === null) return;
      const middle = (interval.low + interval.high) / 2;
      assert(weightedSum(list, [middle, 1 - middle]).includes(i), `${i} at ${middle}`);
    });
  }));
});

Deno.test("Tchebycheff: some weight finds every Pareto point, unsupported ones too", () => {
  fc.assert(fc.property(points, (list) => {
    for (const i of front(list)) {
      const [c, s] = list[i];
      // Weights inverse to the distances from the ideal make this point's distances equal.
      const [dc, ds] = [1.1 - c, 1.1 - s];
      const w = ds / (dc + ds);
      assert(tchebycheff(list, [w, 1 - w], { ideal: [1.1, 1.1] }).includes(i));
    }
  }));
  const dent = [[0, 1], [0.4, 0.4], [1, 0]];
  assertEquals(support(dent), { supported: [0, 2], unsupported: [1] });
  assertEquals(tchebycheff(dent, [0.5, 0.5]), [1]);
});

Deno.test("Tchebycheff: augmentation drops what is only weakly optimal", () => {
  const list = [[0.5, 0.5], [0.5, 0.9]];
  assertEquals(tchebycheff(list, [1, 0]), [0, 1]);
  assertEquals(tchebycheff(list, [1, 0], { augmentation: 1e-3 }), [1]);
  fc.assert(fc.property(points, weight, (pairs, w) => {
    const optimal = front(pairs);
    const found = tchebycheff(pairs, [w, 1 - w], { augmentation: 1e-3 });
    assert(found.every((i) => optimal.includes(i)));
  }));
  assertThrows(() => tchebycheff([[2, 0]], [0.5, 0.5]), InputError, "points[0]");
  assertThrows(() => tchebycheff([[0, 0]], [0.5, 0.6]), InputError, "weights");
});

Deno.test("epsilon-constraint: Pareto optimal, reaches every point, null when nothing is safe enough", () => {
  fc.assert(fc.property(points, tenth, (list, floor) => {
    const found = epsilonConstraint(list, 0, [0, floor]);
    const feasible = list.filter(([, s]) => s >= floor);
    if (found === null) assertEquals(feasible, []);
    else {
      assertEquals(list[found][0], Math.max(...feasible.map(([c]) => c)));
      assert(front(list).includes(found));
    }
    for (const i of front(list, "first")) {
      assertEquals(epsilonConstraint(list, 0, [0, list[i][1]]), i);
    }
  }));
  assertEquals(epsilonConstraint([], 0, []), null);
  assertThrows(() => epsilonConstraint([[1, 1]], 2, [0, 0]), InputError, "objectives beyond");
});

Deno.test("curves: on a dented front the weighted sum jumps, Tchebycheff moves with the weight", () => {
  const parabola = (c: number) => (1 - Math.sqrt(c)) ** 2;
  const line = (c: number) => 1 - c;
  assertEquals([0.49, 0.51].map((w) => weightedSumOnCurve(parabola, w)), [0, 1]);
  fc.assert(fc.property(weight, (w) => {
    const [c, near] = [w, w + 1e-6].map((v) => tchebycheffOnCurve(parabola, v));
    assert(c > 0 && c < 1 && Math.abs(near - c) < 1e-4);
    assertAlmostEquals(tchebycheffOnCurve(line, w), w, 1e-12);
    const circle = weightedSumOnCurve((v) => Math.sqrt(1 - v * v), w);
    assertAlmostEquals(circle, w / Math.hypot(w, 1 - w), 1e-6);
  }));
});

Deno.test("attainment: surfaces shrink as the level rises, and are attained that often", () => {
  const runs = fc.array(points, { minLength: 1, maxLength: 6 });
  const levels = fc.double({ min: 0.01, max: 0.99, noNaN: true });
  fc.assert(fc.property(runs, levels, levels, (seeds, a, b) => {
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    const [wide, narrow] = [attainmentSurface(seeds, low), attainmentSurface(seeds, high)];
    for (const goal of narrow) assert(wide.some((p) => weaklyDominates(p, goal)));
    for (const goal of wide) {
      const { rate, interval } = attainment(seeds, goal);
      assert(rate >= low - 1e-9);
      assert(interval.low <= rate && rate <= interval.high);
      // No better goal is attained as often: one step up in safety is beyond the level.
      assert(attainment(seeds, [goal[0], goal[1] + 0.05]).rate < low);
    }
  }));
  assertEquals(attainmentSurface([[[0.2, 0.8], [0.8, 0.2]], [[0.5, 0.5]]], 0.99), [
    [0.2, 0.5],
    [0.5, 0.2],
  ]);
  assertEquals(attainment([[[1, 1]], [[0, 0]]], [0.5, 0.5]).rate, 0.5);
  assertThrows(() => attainment([], [0, 0]), InputError, "runs");
});

Deno.test("trade-off: the rate along a smooth front is -w / (1 - w)", () => {
  fc.assert(fc.property(weight, (w) => {
    assertAlmostEquals(weightOfRate(rateOfWeight(w)), w, 1e-12);
    // C = 1 - theta^2 and S = 1 - (theta - 1)^2; the optimum of w C + (1 - w) S is 1 - w.
    const theta = 1 - w;
    const rate = tradeOffRate([-2 * theta], [-2 * (theta - 1)], [-1]);
    assertAlmostEquals(rate / rateOfWeight(w), 1, 1e-9);
  }));
  assertEquals([rateOfWeight(0), rateOfWeight(1), weightOfRate(-Infinity)], [0, -Infinity, 1]);
  assertThrows(
    () => tradeOffRate([1, 0], [0, 1], [0, 1]),
    InputError,
    "capability does not change",
  );
  assertThrows(() => weightOfRate(1), InputError, "rate");
});

Deno.test("trade-off: rates between neighbours, by rising capability", () => {
  assertEquals(tradeOffRates([[1, 0], [0, 1], [0.5, 0.75], [0.25, 0.5]]), [
    { from: 1, to: 2, rate: -0.5 },
    { from: 2, to: 0, rate: -1.5 },
  ]);
  fc.assert(fc.property(points, (list) => {
    for (const { rate } of tradeOffRates(list)) assert(rate < 0 && rate > -Infinity);
  }));
});

Deno.test("knees: where a front bends outwards, none where it is straight or dented", () => {
  assertEquals(knees([[0, 1], [0.9, 0.9], [1, 0]]).map(({ index }) => index), [1]);
  assertEquals(knees([[0, 1], [1, 1], [0, 0], [1, 0]]), []);
  assertEquals(knees([[0, 1], [0.5, 0.5], [1, 0]]), []);
  assertEquals(knees([[0, 1], [0.2, 0.2], [1, 0]]), []);
  const two = knees([[0, 1], [0.4, 0.95], [0.5, 0.55], [0.9, 0.5], [1, 0]]);
  assertEquals(two.map(({ index }) => index), [3, 1]);
});

Deno.test("lambda*: the most capable of the safe ones; the printed reading takes the least", () => {
  const row = (lambda: number, performance: number, safety: number) => ({
    lambda,
    performance,
    safety,
  });
  const rows = [row(1, 0.7, 0.9), row(0, 0.9, 0.5), row(0.5, 0.8, 0.8), row(0.4, 0.8, 0.8)];
  assertEquals(lambdaStar(rows, 0.8), { feasible: [0.4, 0.5, 1], lambda: 0.4, printed: 1 });
  assertEquals(lambdaStar(rows, 0.95), { feasible: [], lambda: null, printed: null });
});
