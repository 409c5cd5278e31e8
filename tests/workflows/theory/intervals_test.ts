/** Exact binomial limits against known values, the binomial sums that define them, and extremes. */
import fc from "fast-check";
import {
  betaQuantile,
  clopperPearson,
  clopperPearsonLower,
  clopperPearsonUpper,
  regularizedBeta,
} from "../../../workflows/theory/intervals.ts";
import { InputError } from "../../../kernels/errors.ts";
import { assert, assertAlmostEquals, assertThrows } from "../../assert.ts";
import { sharedTest } from "../../shared.ts";

/** P(X <= k) of a binomial variable: terms by exact ratios out from the mode, then divided by their sum. */
function binomialCdf(k: number, n: number, p: number): number {
  const odds = p / (1 - p);
  const mode = Math.min(n, Math.floor((n + 1) * p));
  const terms = new Array<number>(n + 1);
  terms[mode] = 1;
  for (let i = mode + 1; i <= n; i++) terms[i] = terms[i - 1] * (n - i + 1) / i * odds;
  for (let i = mode - 1; i >= 0; i--) terms[i] = terms[i + 1] * (i + 1) / (n - i) / odds;
  const sum = (list: number[]) => list.reduce((a, b) => a + b, 0);
  return sum(terms.slice(0, k + 1)) / sum(terms);
}

Deno.test("known limits", () => {
  const known = [
    [0, 10, 0, 0.30849710781876],
    [5, 10, 0.18708602844739, 0.81291397155261],
    [10, 10, 0.69150289218123, 1],
    [0, 50, 0, 0.07112173646419764],
    [3, 200, 0.00310410762155351, 0.0432082819177126],
  ];
  for (const [k, n, low, high] of known) {
    const interval = clopperPearson(k, n);
    assertAlmostEquals(interval.low, low, 1e-13);
    assertAlmostEquals(interval.high, high, 1e-13);
  }
  // k = 0: the upper limit has the closed form 1 - tail^(1/n).
  for (const n of [1, 7, 1000, 1e6]) {
    const exact = -Math.expm1(Math.log(0.05) / n);
    assertAlmostEquals(clopperPearsonUpper(0, n) / exact, 1, 1e-9);
    assertAlmostEquals(clopperPearsonLower(n, n), 1 - exact, 1e-13);
  }
});

Deno.test("the limits solve the binomial equations that define them", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 400 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.constantFrom(0.5, 0.9, 0.95, 0.99, 0.999),
    (n, fraction, confidence) => {
      const k = Math.round(fraction * n);
      const tail = (1 - confidence) / 2;
      const { low, high } = clopperPearson(k, n, confidence);
      assert(low <= k / n && k / n <= high);
      if (k < n) assertAlmostEquals(binomialCdf(k, n, high) / tail, 1, 1e-8);
      if (k > 0) assertAlmostEquals(1 - binomialCdf(k - 1, n, low), tail, 1e-11);
    },
  ));
});

Deno.test("mirrored counts give mirrored limits, up to a million trials", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.nat(), (n, draw) => {
    const k = draw % (n + 1);
    const [a, b] = [clopperPearson(k, n), clopperPearson(n - k, n)];
    assertAlmostEquals(a.low, 1 - b.high, 1e-12);
    assert(a.low >= 0 && a.high <= 1 && a.low <= k / n && a.high >= k / n);
  }));
});

Deno.test("a million trials agree with the normal limit, and rare events with the Poisson limit", () => {
  const { low, high } = clopperPearson(500_000, 1_000_000);
  assertAlmostEquals(high - low, 2 * 1.959963985 * 0.0005, 2e-6);
  // Exact Poisson limits for one event: 0.0253178 and 5.5716434 (Garwood 1936).
  const rare = clopperPearson(1, 1_000_000);
  assertAlmostEquals(rare.low * 1e6, 0.0253178, 1e-6);
  assertAlmostEquals(rare.high * 1e6, 5.5716434, 2e-5);
});

Deno.test("the incomplete beta function: closed forms, symmetry, inverse", () => {
  const positive = fc.double({ min: 0.05, max: 500, noNaN: true });
  const inside = fc.double({ min: 0.001, max: 0.999, noNaN: true });
  fc.assert(fc.property(inside, positive, positive, (x, a, b) => {
    assertAlmostEquals(regularizedBeta(x, 1, b), -Math.expm1(b * Math.log1p(-x)), 1e-12);
    assertAlmostEquals(regularizedBeta(x, a, 1), x ** a, 1e-12);
    assertAlmostEquals(regularizedBeta(x, a, b) + regularizedBeta(1 - x, b, a), 1, 1e-12);
    assertAlmostEquals(regularizedBeta(betaQuantile(x, a + 1, b + 1), a + 1, b + 1), x, 1e-10);
  }));
  assert(regularizedBeta(0, 2, 3) === 0 && regularizedBeta(1, 2, 3) === 1);
});

Deno.test("impossible counts are refused with a clear line", () => {
  assertThrows(() => clopperPearson(3, 2), InputError, "0 <= k <= n, found k 3, n 2");
  assertThrows(() => clopperPearson(0.5, 2), InputError, "whole counts");
  assertThrows(() => clopperPearson(1, 2, 1), InputError, "confidence must lie between 0 and 1");
  assertThrows(() => regularizedBeta(2, 1, 1), InputError, "0 <= x <= 1");
});

sharedTest(
  "limits agree with the independently computed answers",
  ["golden", "theory.json"],
  (path) => {
    const { cases } = JSON.parse(Deno.readTextFileSync(path)) as {
      cases: { id: string; inputs: Record<string, number>; expected: Record<string, number> }[];
    };
    const intervals = cases.filter((c) => c.id.startsWith("infant.binomial-interval/"));
    assert(intervals.length > 0);
    for (const { inputs: { k, n, conf }, expected } of intervals) {
      const { low, high } = clopperPearson(k, n, conf);
      assertAlmostEquals(low, expected.cpLower, 1e-12);
      assertAlmostEquals(high, expected.cpUpper, 1e-12);
      assertAlmostEquals(clopperPearsonUpper(k, n, conf), expected.cpUpperOneSided, 1e-12);
    }
  },
);
