/** The formulas of SAAA that need no model: scores, estimates, step sizes, Lipschitz constants. */
import fc from "fast-check";
import { rateAt, type RateFamily, robbinsMonro } from "../../../workflows/theory/learning_rates.ts";
import {
  sampledLipschitz,
  sigmoidSteepness,
  softmaxSteepness,
  spectralNorm,
} from "../../../workflows/theory/lipschitz.ts";
import {
  blockParameters,
  estimateFailure,
  estimateSampleSize,
  safetyScore,
  syntheticReward,
} from "../../../workflows/theory/safety_scores.ts";
import { Random } from "../../../workflows/data/random.ts";
import { InputError } from "../../../kernels/errors.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";

const value = fc.double({ min: -2, max: 2, noNaN: true });
const list = (n: number) => fc.array(value, { minLength: n, maxLength: n });

Deno.test("scores: weights must be a distribution, and are not rescaled", () => {
  assertAlmostEquals(safetyScore([1, 0.5], [0.25, 0.75]), 0.625, 1e-15);
  assertThrows(() => safetyScore([1, 1], [1, 1]), InputError, "sum to 1");
  assertThrows(() => safetyScore([1.1], [1]), InputError, "scores[0]");
  assertEquals(syntheticReward([1, 0.5], [2, 2]), { reward: 3, upper: 4 });
  assertEquals(blockParameters(24, 1024), 301_989_888);
});

Deno.test("estimates: the sample size is the smallest that Eq. 23 accepts", () => {
  const dimensions = fc.integer({ min: 1, max: 8 });
  const small = fc.double({ min: 0.02, max: 0.5, noNaN: true });
  fc.assert(fc.property(dimensions, small, small, (K, deviation, failure) => {
    const n = estimateSampleSize(K, deviation, 1, failure);
    const equal = (v: number) => new Array<number>(K).fill(v);
    const at = (samples: number) => estimateFailure(samples, equal(deviation), equal(1)).sum;
    assert(at(n) <= failure * (1 + 1e-12));
    if (n > 1) assert(at(n - 1) > failure * (1 - 1e-12));
  }));
  assertEquals(estimateFailure(1, [0.01, 0.01], [1, 1]).clamped, 1);
});

Deno.test("step sizes: the sums are those of the series", () => {
  const families: [RateFamily, number, number][] = [
    [{ family: "power", a: 2, p: 2 }, 2 * Math.PI ** 2 / 6, 4 * Math.PI ** 4 / 90],
    [{ family: "power", a: 1, p: 1 }, Infinity, Math.PI ** 2 / 6],
    [{ family: "power", a: 1, p: 4 }, Math.PI ** 4 / 90, Math.PI ** 8 / 9450],
    [{ family: "constant", a: 1e-4 }, Infinity, Infinity],
    [{ family: "geometric", a: 3, r: 0.5 }, 6, 12],
  ];
  for (const [rates, sum, squareSum] of families) {
    const found = robbinsMonro(rates);
    for (const [got, want] of [[found.sum, sum], [found.squareSum, squareSum]]) {
      assert(got === want || Math.abs(got - want) < 1e-13 * want, `${got} ${want}`);
    }
  }
  // Just above 1 zeta is 1/(s - 1) + Euler's constant.
  const { sum } = robbinsMonro({ family: "power", a: 1, p: 1.0001 });
  assertAlmostEquals(sum, 10_000 + 0.5772156649, 1e-5);
  assertEquals(
    (["power", "geometric"] as const).map((family) =>
      robbinsMonro(family === "power" ? { family, a: 1, p: 0.75 } : { family, a: 1, r: 0.9 }).ok
    ),
    [true, false],
  );
  assertEquals(rateAt({ family: "power", a: 1, p: 0.5 }, 4), 0.5);
  assertThrows(() => rateAt({ family: "geometric", a: 1, r: 1 }, 1), InputError, "r: expected");
});

Deno.test("Lipschitz: a sampled estimate and every gradient stay below the certificate", () => {
  fc.assert(
    fc.property(
      fc.array(list(3), { minLength: 2, maxLength: 4 }),
      list(4),
      list(3),
      fc.nat(),
      (weights, scores, x, seed) => {
        const s = scores.slice(0, weights.length);
        const { certified, gradientNorm } = softmaxSteepness(weights, s, x);
        assert(gradientNorm <= certified + 1e-12);
        const random = new Random(seed);
        const f = (at: readonly number[]) => softmaxSteepness(weights, s, at).value;
        const options = { radius: 0.5, pairs: 20, random: () => random.unit() };
        assert(sampledLipschitz(f, x, options) <= certified + 1e-9);
      },
    ),
    { numRuns: 50 },
  );
  assertEquals(sigmoidSteepness([3, -4], [0, 0]), {
    value: 0.5,
    gradient: [0.75, -1],
    gradientNorm: 1.25,
    certified: 1.25,
  });
});

Deno.test("Lipschitz: the gradient is that of the score", () => {
  const [weights, scores, x, h] = [
    [[1, -0.5], [0.25, 2], [0, 1]],
    [0.2, 1, 0.5],
    [0.3, -0.7],
    1e-5,
  ];
  const { gradient } = softmaxSteepness(weights, scores, x);
  gradient.forEach((slope, j) => {
    const at = (by: number) =>
      softmaxSteepness(weights, scores, x.map((v, i) => i === j ? v + by : v)).value;
    assertAlmostEquals(slope, (at(h) - at(-h)) / (2 * h), 1e-9);
  });
});

Deno.test("spectral norm: known matrices, and no vector is stretched more", () => {
  assertAlmostEquals(spectralNorm([[3, 0], [0, -4]]), 4, 1e-12);
  assertAlmostEquals(spectralNorm([[1, 1], [1, 1]]), 2, 1e-12);
  assertAlmostEquals(spectralNorm([[1, 2, 2]]), 3, 1e-12);
  assertEquals(spectralNorm([[0, 0]]), 0);
  fc.assert(fc.property(fc.array(list(3), { minLength: 1, maxLength: 5 }), list(3), (a, x) => {
    const image = a.map((row) => row.reduce((sum, v, j) => sum + v * x[j], 0));
    assert(Math.hypot(...image) <= spectralNorm(a) * Math.hypot(...x) + 1e-9);
  }));
});
