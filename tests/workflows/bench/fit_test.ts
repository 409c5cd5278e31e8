/** Fits of power laws: the exponent of an exact law, the interval of a noisy one, Student's quantiles of the tables. */
import fc from "fast-check";
import { powerFit, studentQuantile } from "../../../workflows/bench/fit.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";

Deno.test("powerFit: an exact law is found, with an interval of no width", () => {
  fc.assert(fc.property(
    fc.double({ min: -3, max: 3, noNaN: true }),
    fc.double({ min: 0.01, max: 100, noNaN: true }),
    (exponent, factor) => {
      const x = [1, 2, 4, 8, 16];
      const fit = powerFit(x, x.map((value) => factor * value ** exponent));
      assertAlmostEquals(fit.exponent, exponent, 1e-9);
      assertAlmostEquals(fit.factor / factor, 1, 1e-9);
      assertAlmostEquals(fit.interval![0], exponent, 1e-6);
      assertAlmostEquals(fit.interval![1], exponent, 1e-6);
    },
  ));
});

Deno.test("powerFit: the interval of worked-out points", () => {
  // log x = 0, 1, 2 and log y = 0, 1, 3: slope 1.5, residuals 1/6, -1/3, 1/6, one degree of freedom.
  const e = Math.E;
  const { exponent, interval, factor } = powerFit([1, e, e ** 2], [1, e, e ** 3]);
  assertAlmostEquals(exponent, 1.5, 1e-12);
  assertAlmostEquals(factor, Math.exp(-1 / 6), 1e-12);
  const half = 12.7062 * Math.sqrt((1 / 36 + 1 / 9 + 1 / 36) / 2);
  assertAlmostEquals(interval![0], 1.5 - half, 1e-3);
  assertAlmostEquals(interval![1], 1.5 + half, 1e-3);
});

Deno.test("powerFit: other units change the factor, never the exponent", () => {
  fc.assert(fc.property(fc.double({ min: 0.1, max: 1000, noNaN: true }), (unit) => {
    const y = [3, 5, 11, 18];
    const a = powerFit([1, 2, 3, 5], y);
    const b = powerFit([1, 2, 3, 5], y.map((value) => unit * value));
    assertAlmostEquals(a.exponent, b.exponent, 1e-9);
    assertAlmostEquals(b.factor / a.factor, unit, 1e-9 * unit);
  }));
});

Deno.test("powerFit: two points have a slope and no interval; one, or a zero, has nothing", () => {
  assertEquals(powerFit([1, 2], [3, 6]).interval, null);
  assertAlmostEquals(powerFit([1, 2], [3, 6]).exponent, 1, 1e-12);
  assertThrows(() => powerFit([2, 2], [1, 3]), RangeError, "two different x");
  assertThrows(() => powerFit([1, 2], [0, 3]), RangeError, "positive");
  assertThrows(() => powerFit([1, 2, 3], [1, 3]), RangeError, "as many");
});

Deno.test("studentQuantile: two-sided 95 % of the printed tables", () => {
  for (const [freedom, t] of [[1, 12.7062], [2, 4.30265], [3, 3.18245], [10, 2.22814]]) {
    assertAlmostEquals(studentQuantile(freedom), t, 1e-4);
  }
  assert(studentQuantile(10_000) < 1.961);
});
