/** Regret of exponential weights, and gradients of maxima. */
import fc from "fast-check";
import {
  directionalDerivative,
  maximumOf,
  maximumOverInterval,
} from "../../../workflows/theory/danskin.ts";
import { exponentialWeights, regret, regretBound } from "../../../workflows/theory/regret.ts";
import { InputError } from "../../../kernels/errors.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";

const unit = fc.double({ min: 0, max: 1, noNaN: true });
const losses = fc.tuple(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 1, max: 40 }))
  .chain(([actions, rounds]) =>
    fc.array(fc.array(unit, { minLength: actions, maxLength: actions }), {
      minLength: rounds,
      maxLength: rounds,
    })
  );
const rates = fc.double({ min: 0.01, max: 3, noNaN: true });

Deno.test("regret: exponential weights keep their bound on every sequence of losses", () => {
  fc.assert(fc.property(losses, rates, (rows, rate) => {
    const run = exponentialWeights(rows, rate);
    assert(run.regret <= run.bound + 1e-12);
    assertAlmostEquals(run.regret, run.learnerLoss - run.bestFixed, 1e-12);
    const fixed = regret(rows, rows.map((row) => row[run.bestAction]));
    assertAlmostEquals(fixed.regret, 0, 1e-12);
  }));
});

Deno.test("regret: against an adversary the mean regret falls with the rounds", () => {
  const mean = (rounds: number) => {
    const rows = Array.from({ length: rounds }, (_, t) => t % 2 === 0 ? [0, 1] : [1, 0]);
    return exponentialWeights(rows, Math.sqrt(8 * Math.LN2 / rounds)).regret / rounds;
  };
  assert(mean(1600) < mean(100) / 3);
});

Deno.test("regret: the best rate makes Eq. 40 smallest", () => {
  fc.assert(fc.property(fc.integer({ min: 2, max: 1000 }), rates, rates, (actions, G, rate) => {
    const { bound, bestRate, bestBound } = regretBound(actions, 200, G, rate);
    assert(bestBound <= bound + 1e-9);
    assertAlmostEquals(regretBound(actions, 200, G, bestRate).bound, bestBound, 1e-9 * bestBound);
  }));
  assertThrows(() => exponentialWeights([[0, 2]], 1), InputError, "losses[0][1]");
  assertThrows(() => regret([[0, 1], [0]], [0, 0]), InputError, "losses[1]");
});

const plane = fc.array(
  fc.record({
    slope: fc.tuple(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -3, max: 3 })),
    offset: fc.integer({ min: -2, max: 2 }),
  }),
  { minLength: 1, maxLength: 6 },
);

Deno.test("Danskin: directional derivatives are those of the maximum, with and without ties", () => {
  const point = fc.tuple(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -2, max: 2 }));
  fc.assert(fc.property(plane, point, point, (planes, theta, direction) => {
    const slopes = planes.map(({ slope }) => slope);
    const at = ([x, y]: readonly number[]) =>
      maximumOf(planes.map(({ slope, offset }) => slope[0] * x + slope[1] * y + offset), slopes);
    const [h, here] = [1e-6, at(theta)];
    const ahead = at(theta.map((value, i) => value + h * direction[i]));
    assertAlmostEquals(
      (ahead.value - here.value) / h,
      directionalDerivative(here, direction),
      1e-6,
    );
    if (here.gradient === null) assert(here.active.length > 1);
    else {
      const [dx, dy] = here.gradient;
      const along = dx * direction[0] + dy * direction[1];
      assertAlmostEquals(directionalDerivative(here, direction), along, 1e-12);
    }
  }));
});

Deno.test("Danskin: at a tie there is no gradient, and both one-sided slopes are right", () => {
  const tie = maximumOf([0, 0, -1], [[1], [-1], [9]]);
  assertEquals([tie.active, tie.gradient], [[0, 1], null]);
  assertEquals([directionalDerivative(tie, [1]), directionalDerivative(tie, [-1])], [1, 1]);
  // Equal gradients at the tie: then there is one.
  assertEquals(maximumOf([0, 0], [[2], [2]]).gradient, [2]);
});

Deno.test("Danskin: over an interval the slope is that of the maximum", () => {
  const bowl = {
    value: (t: number, psi: number) => Math.sin(t) * psi - psi ** 2,
    slopeInPsi: (t: number, psi: number) => Math.sin(t) - 2 * psi,
    slopeInTheta: (t: number, psi: number) => Math.cos(t) * psi,
  };
  fc.assert(fc.property(fc.double({ min: -3, max: 3, noNaN: true }), (theta) => {
    const max = (t: number) => maximumOverInterval(bowl, t, [-0.3, 1]);
    const h = 1e-6;
    const slope = (max(theta + h).value - max(theta - h).value) / (2 * h);
    assertAlmostEquals(max(theta).slope, slope, 1e-5);
    assertAlmostEquals(max(theta).psi, Math.max(-0.3, Math.sin(theta) / 2), 1e-12);
  }));
  assertThrows(() => maximumOverInterval(bowl, 0, [1, 0]), InputError, "low <= high");
});
