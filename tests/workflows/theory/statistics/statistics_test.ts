/** Distribution functions, intervals, resampling, tests, calibration and ranking. */
import fc from "fast-check";
import { clopperPearson } from "../../../../workflows/theory/intervals.ts";
import {
  cohenKappa,
  krippendorffAlpha,
} from "../../../../workflows/theory/statistics/agreement.ts";
import {
  bootstrap,
  bootstrapRate,
  enumeratedBootstrap,
  mean,
  median,
} from "../../../../workflows/theory/statistics/bootstrap.ts";
import {
  calibration,
  multiclassScores,
} from "../../../../workflows/theory/statistics/calibration.ts";
import {
  binomialCdf,
  binomialQuantile,
  normalCdf,
  normalQuantile,
  studentQuantile,
} from "../../../../workflows/theory/statistics/distributions.ts";
import {
  benjaminiHochberg,
  holm,
} from "../../../../workflows/theory/statistics/multiple_testing.ts";
import { mcNemar, signTest } from "../../../../workflows/theory/statistics/paired.ts";
import {
  auroc,
  averagePrecision,
  kendallTauB,
  meanRanks,
  spearman,
} from "../../../../workflows/theory/statistics/ranking.ts";
import { intervalCoverage, wilson } from "../../../../workflows/theory/statistics/wilson.ts";
import { Random } from "../../../../workflows/data/random.ts";
import { InputError } from "../../../../kernels/errors.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../../assert.ts";

const unit = fc.double({ min: 0, max: 1, noNaN: true });
const inside = fc.double({ min: 1e-12, max: 1 - 1e-9, noNaN: true });

Deno.test("normal and Student: published values, inverses, far tails", () => {
  const known = [[0, 0.5], [1.959963984540054, 0.975], [-6, 9.865876450376981e-10]];
  for (const [z, p] of known) assertAlmostEquals(normalCdf(z) / p, 1, 1e-13);
  assertAlmostEquals(normalCdf(-20) / 2.7536241186062337e-89, 1, 1e-12);
  assertAlmostEquals(normalQuantile(1e-300), -37.0471, 1e-4);
  fc.assert(fc.property(inside, (p) => {
    assertAlmostEquals(normalCdf(normalQuantile(p)) / p, 1, 1e-9);
  }));
  // Student: one degree of freedom is Cauchy's distribution, two have a closed form.
  for (const p of [0.001, 0.2, 0.5, 0.975]) {
    assertAlmostEquals(studentQuantile(p, 1), Math.tan(Math.PI * (p - 0.5)), 1e-9);
    const t = (2 * p - 1) * Math.sqrt(2 / (1 - (2 * p - 1) ** 2));
    assertAlmostEquals(studentQuantile(p, 2), t, 1e-9);
  }
  assertAlmostEquals(studentQuantile(0.975, 1e6), 1.95997, 1e-5);
});

Deno.test("binomial: distribution by hand, quantiles invert it", () => {
  assertAlmostEquals(binomialCdf(1, 3, 0.5), 0.5, 1e-15);
  assertEquals([binomialCdf(-1, 3, 0.5), binomialCdf(3, 3, 0.9), binomialCdf(2, 3, 1)], [0, 1, 0]);
  fc.assert(fc.property(inside, fc.integer({ min: 1, max: 60 }), unit, (level, n, p) => {
    const k = binomialQuantile(level, n, p);
    assert(k === n || binomialCdf(k, n, p) >= level);
    assert(k === 0 || binomialCdf(k - 1, n, p) < level);
  }));
});

Deno.test("intervals: Clopper-Pearson covers at every p, Wilson contains the estimate", () => {
  const levels = fc.constantFrom(0.8, 0.95, 0.99);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), unit, levels, (n, p, confidence) => {
      const covered = intervalCoverage(n, p, confidence, clopperPearson);
      assert(covered >= confidence - 1e-12 && covered <= 1 + 1e-12);
      const k = Math.round(p * n);
      const { low, high } = wilson(k, n, confidence);
      assert(0 <= low && low <= k / n && k / n <= high && high <= 1);
    }),
    { numRuns: 60 },
  );
  // Both ends solve (p - k/n)^2 = z^2 p (1 - p) / n.
  const z = normalQuantile(0.975);
  for (const p of Object.values(wilson(3, 20))) {
    assertAlmostEquals((p - 0.15) ** 2, z * z * p * (1 - p) / 20, 1e-15);
  }
  assert(intervalCoverage(50, 0.02, 0.95, wilson) < 0.95, "Wilson may fall below its level");
  assertThrows(() => wilson(1, 0), InputError, "n: expected");
});

Deno.test("bootstrap: drawing comes near enumerating, for any statistic", () => {
  const random = new Random("bootstrap");
  const sample = [1, 2, 4, 7, 9];
  for (const statistic of [mean, median]) {
    const exact = enumeratedBootstrap(sample, statistic, 0.9);
    const options = { random: () => random.unit(), resamples: 20_000, confidence: 0.9 };
    const drawn = bootstrap(sample, statistic, options);
    assertEquals(exact.resamples, 3125);
    assertAlmostEquals(drawn.mean, exact.mean, 0.1);
    assertAlmostEquals(drawn.standardError, exact.standardError, 0.1);
    assertAlmostEquals(drawn.low, exact.low, 0.41);
    assertAlmostEquals(drawn.high, exact.high, 0.41);
  }
  const rate = bootstrapRate(2, 4, 0.5);
  const enumerated = enumeratedBootstrap([0, 0, 1, 1], mean, 0.5);
  assertEquals([rate.low, rate.high], [enumerated.low, enumerated.high]);
  assertAlmostEquals(rate.standardError, enumerated.standardError, 1e-12);
  assertThrows(() => enumeratedBootstrap(new Array(9).fill(1), mean), InputError, "9 values");
});

Deno.test("pairs: McNemar's p is symmetric, 1 without a difference, small for a large one", () => {
  const count = fc.integer({ min: 0, max: 80 });
  fc.assert(fc.property(count, count, (b, c) => {
    const one = mcNemar(b, c);
    const mirrored = mcNemar(c, b);
    for (const [name, p] of Object.entries(one)) {
      assertAlmostEquals(p, mirrored[name as keyof typeof one], 1e-12);
      if (!name.startsWith("chi2")) assert(p >= 0 && p <= 1);
    }
    assert(one.midP <= one.exact + 1e-12);
    if (b === c) assertEquals([one.exact, one.midP, one.pChi2], [1, 1, 1]);
  }));
  assertAlmostEquals(mcNemar(0, 10).exact, 2 ** -9, 1e-15);
  assertEquals(signTest([0, 0]).p, 1);
  const { positive, negative, p } = signTest([1, 2, 3, 0]);
  assertEquals([positive, negative], [3, 0]);
  assertAlmostEquals(p, 0.25, 1e-15);
});

Deno.test("several tests: adjusted p keep their order; Holm >= Benjamini-Hochberg >= p", () => {
  fc.assert(fc.property(fc.array(unit, { minLength: 1, maxLength: 10 }), (p) => {
    const [a, b] = [holm(p), benjaminiHochberg(p)];
    p.forEach((value, i) => {
      assert(value <= b[i] + 1e-15 && b[i] <= a[i] + 1e-15 && a[i] <= 1);
      p.forEach((other, j) => assert(value > other || (a[i] <= a[j] && b[i] <= b[j])));
    });
  }));
  assertThrows(() => holm([0.5, 2]), InputError, "p[1]");
});

Deno.test("calibration: perfect predictions have no error, an edge belongs to the upper bin", () => {
  const { ece, mce, brier, bins } = calibration([0, 0, 1, 1], [false, false, true, true], 2);
  assertEquals([ece, mce, brier], [0, 0, 0]);
  assertEquals(bins.map(({ count }) => count), [2, 2]);
  assertEquals(calibration([0.5], [true], 2).bins[0], {
    count: 0,
    meanPrediction: null,
    positiveRate: null,
  });
  const pairs = fc.array(fc.tuple(unit, fc.boolean()), { minLength: 1, maxLength: 20 });
  fc.assert(fc.property(pairs, (rows) => {
    const [p, y] = [rows.map(([p]) => p), rows.map(([, y]) => y)];
    const found = calibration(p, y, 5);
    assert(found.ece <= found.mce + 1e-12);
    const two = multiclassScores(p.map((value) => [1 - value, value]), y.map(Number));
    assertAlmostEquals(two.brier, 2 * found.brier, 1e-12);
  }));
});

Deno.test("ranking: AUROC is the share of pairs in order, and only order counts", () => {
  const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.boolean()), {
    minLength: 2,
    maxLength: 15,
  }).filter((rows) => new Set(rows.map(([, label]) => label)).size === 2);
  fc.assert(fc.property(rows, (pairs) => {
    const [scores, labels] = [pairs.map(([s]) => s), pairs.map(([, l]) => l)];
    const of = (kind: boolean) => scores.filter((_, i) => labels[i] === kind);
    let wins = 0;
    for (const a of of(true)) for (const b of of(false)) wins += a > b ? 1 : a === b ? 0.5 : 0;
    assertAlmostEquals(auroc(scores, labels), wins / of(true).length / of(false).length, 1e-12);
    const stretched = scores.map((s) => Math.exp(s) - 3);
    assertEquals(auroc(stretched, labels), auroc(scores, labels));
    assertEquals(averagePrecision(stretched, labels), averagePrecision(scores, labels));
  }));
  assertEquals(averagePrecision([3, 2, 1], [true, false, true]), (1 + 2 / 3) / 2);
  assertThrows(() => auroc([1, 2], [true, true]), InputError, "both kinds");
});

Deno.test("rank correlations: 1 with itself, -1 with its mirror, ties share ranks", () => {
  assertEquals(meanRanks([10, 20, 10]), [1.5, 3, 1.5]);
  const lists = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 2, maxLength: 12 })
    .filter((list) => new Set(list).size > 1);
  fc.assert(fc.property(lists, (x) => {
    const mirrored = x.map((value) => -value);
    for (const correlation of [spearman, kendallTauB]) {
      assertAlmostEquals(correlation(x, x), 1, 1e-12);
      assertAlmostEquals(correlation(x, mirrored), -1, 1e-12);
    }
  }));
  assertThrows(() => spearman([1, 1], [1, 2]), InputError, "x: a correlation");
});

Deno.test("agreement: full agreement is 1, independence 0", () => {
  assertEquals(cohenKappa([[5, 0], [0, 3]]), 1);
  assertAlmostEquals(cohenKappa([[1, 1], [1, 1]]), 0, 1e-15);
  assertThrows(() => cohenKappa([[4, 0], [0, 0]]), InputError, "more than one category");
  for (const scale of ["nominal", "ordinal", "interval"] as const) {
    assertAlmostEquals(krippendorffAlpha([[1, 2, 3, null], [1, 2, 3, 3]], scale), 1, 1e-15);
  }
  // Two raters, ratings 1 1 2 2 against 1 1 2 1: one of four units differs, 15 of 28 pairs would.
  const alpha = krippendorffAlpha([[1, 1, 2, 2], [1, 1, 2, 1]], "nominal");
  assertAlmostEquals(alpha, 1 - (1 / 4) / (15 / 28), 1e-12);
  assertThrows(() => krippendorffAlpha([[1, 1], [1, 1]], "nominal"), InputError, "two different");
});
