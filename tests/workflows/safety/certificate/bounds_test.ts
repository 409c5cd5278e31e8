/**
 * Estimates and bounds: monotone, in order, honest without data, and true as often as promised.
 */
import fc from "fast-check";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../../assert.ts";
import { InputError } from "../../../../kernels/errors.ts";
import { boundsOf, printedCoverage } from "../../../../workflows/safety/certificate/bounds.ts";
import {
  ALL,
  estimates,
  QUANTITY_SHARES,
  scopeShares,
} from "../../../../workflows/safety/certificate/estimates.ts";
import { countOutcomes } from "../../../../workflows/safety/certificate/outcomes.ts";
import { certificateSoundness } from "../../../../workflows/safety/certificate/soundness.ts";

const letters = (counts: readonly number[]) =>
  [..."sdDmMpP"].map((letter, i) => letter.repeat(counts[i])).join("");
const anyCounts = fc.tuple(...Array.from({ length: 7 }, () => fc.nat({ max: 200 })));
const of = (counts: readonly number[], sensitivity = 1) =>
  boundsOf(estimates(countOutcomes(letters(counts)), 0.05), sensitivity);
const value = (bounds: ReturnType<typeof of>, name: string) =>
  bounds.bounds.find((bound) => bound.name === name)!.value;

Deno.test("delta: the shares add up to 1, over scopes and within one", () => {
  const sum = (shares: object) => Object.values(shares).reduce((a, b) => a + b, 0);
  assertAlmostEquals(sum(QUANTITY_SHARES), 1, 1e-12);
  assertAlmostEquals(sum(scopeShares(["a", "b", "c"])), 1, 1e-12);
  assertEquals(scopeShares(["a"]), { [ALL]: 1 });
});

Deno.test("bounds: exact <= Eq. 33 <= Eq. 34 <= Eq. 28, and all are probabilities", () => {
  fc.assert(fc.property(anyCounts, (counts) => {
    const bounds = of(counts);
    const order = [
      "exact, uniform coverage",
      "exact, without patterns",
      "Eq. 33",
      "Eq. 34",
      "Eq. 28",
    ];
    const values = order.map((name) => value(bounds, name)!);
    for (let i = 1; i < values.length; i++) assert(values[i - 1] <= values[i] + 1e-12, order[i]);
    for (const { value: v } of bounds.bounds) assert(v === null || (v >= 0 && v <= 1));
    assert(bounds.certified <= value(bounds, "direct")!);
    if (value(bounds, "Eq. 36") !== null) {
      assert(value(bounds, "Eq. 36")! <= value(bounds, "Eq. 36 by Eq. 38")!);
    }
  }));
});

Deno.test("bounds: one safe dialogue turned into a violation lowers no certified bound", () => {
  fc.assert(fc.property(anyCounts, (counts) => {
    const [safe, ...rest] = counts;
    const [d, D, m, ...others] = rest;
    const before = of([safe + 1, ...rest]);
    const after = of([safe, d, D, m + 1, ...others]);
    assert(before.certified <= after.certified + 1e-12);
    assert(value(before, "direct")! <= value(after, "direct")!);
  }));
});

Deno.test("bounds: more of the same makes them tighter, and none are below the rate seen", () => {
  fc.assert(fc.property(anyCounts, (counts) => {
    const n = counts.reduce((a, b) => a + b, 0);
    if (n === 0) return;
    const once = of(counts);
    const thrice = of(counts.map((c) => 3 * c));
    assert(thrice.certified <= once.certified + 1e-12);
    assert(once.certified >= (counts[3] + counts[5]) / n - 1e-12);
  }));
});

Deno.test("bounds: without data nothing is claimed", () => {
  const bounds = of([0, 0, 0, 0, 0, 0, 0]);
  assertEquals(bounds.certified, 1);
  assertEquals(value(bounds, "Eq. 36"), null);
  const e = estimates(countOutcomes("ssss"), 0.05);
  assertEquals([e.epsM.n, e.epsM.rate, e.epsM.limit], [0, null, 1]);
  assertEquals([e.gammaEscapes.n, e.gammaEscapes.limit], [0, 0]);
  // Nothing unsafe in few dialogues: the bound is what 4 dialogues can show.
  assert(boundsOf(e).certified > 0.5);
});

Deno.test("bounds: numbers by hand", () => {
  // No violation in 1000, delta 0.05: half for V, 1 - (0.025)^(1/1000).
  const bounds = of([1000, 0, 0, 0, 0, 0, 0]);
  assertAlmostEquals(bounds.certified, 1 - 0.025 ** (1 / 1000), 1e-12);
  // A fifth of all proposals unsafe, none missed.
  const e = estimates(countOutcomes(letters([800, 200, 0, 0, 0, 0, 0])), 0.05);
  assertAlmostEquals(e.epsM.limit, 1 - 0.005 ** (1 / 200), 1e-12);
  const rates = [e.pUnsafe.limit, e.epsM.limit, e.epsPi.limit];
  assertAlmostEquals(
    value(boundsOf(e), "exact, without patterns")!,
    rates[0] * (rates[1] + (1 - rates[1]) * rates[2]),
    1e-12,
  );
});

Deno.test("coverage: measured on escapes, on unsafe replies, and as printed", () => {
  const e = estimates(countOutcomes("sssssdDDmMMM"), 0.05);
  assertEquals([e.gammaEscapes.k, e.gammaEscapes.n], [3, 4]);
  assertEquals([e.gammaUnsafe.k, e.gammaUnsafe.n], [5, 7]);
  assertAlmostEquals(printedCoverage(e)!, 1 - 2 / 12, 1e-12);
});

Deno.test("judge: a bound is divided by the sensitivity, and stays a probability", () => {
  const exact = of([1000, 10, 0, 3, 0, 0, 0]);
  const half = of([1000, 10, 0, 3, 0, 0, 0], 0.5);
  assertAlmostEquals(half.certified, 2 * exact.certified, 1e-12);
  assertEquals(of([1000, 10, 0, 3, 0, 0, 0], 0).certified, 1);
});

const POLICY = {
  plain: { pUnsafe: 0.2, epsM: 0.05, epsPi: 0.01, gammaEscapes: 0.5 },
  seen: { pUnsafe: 0.3, epsM: 0.02, epsPi: 0, gammaEscapes: 0.3 },
  unseen: { pUnsafe: 0.5, epsM: 0.15, epsPi: 0.01, gammaEscapes: 0.1 },
};

Deno.test("soundness: all bounds hold together in at least 1 - delta of the certificates", () => {
  for (const delta of [0.05, 0.3]) {
    const sound = certificateSoundness({
      policy: POLICY,
      dialogues: 500,
      repetitions: 600,
      delta,
      seed: 11,
    });
    // Broken only where even the upper end of the interval is below the promise.
    assert(sound.coverage.high >= 1 - delta, `delta ${delta}: ${sound.held} of 600`);
    assert(sound.heldByBound["direct"] >= sound.held);
    assert(sound.medianRatio! > 1 && sound.medianRatio! < 3, `ratio ${sound.medianRatio}`);
  }
});

Deno.test("soundness: the study catches a bound that assumes what is not so", () => {
  // Patterns match what the world model detects and never what it misses: uniform coverage is false.
  const { heldByBound, repetitions, held } = certificateSoundness({
    policy: { one: { pUnsafe: 0.8, epsM: 0.2, epsPi: 0, gammaEscapes: 0 } },
    detectedMatched: 0.99,
    dialogues: 1000,
    repetitions: 100,
    delta: 0.05,
    seed: 2,
  });
  assert(heldByBound["exact, uniform coverage"] < 0.5 * repetitions);
  assert(heldByBound["exact, patterns on escapes"] === repetitions && held >= 90);
});

Deno.test("soundness: bad input", () => {
  const options = { dialogues: 10, repetitions: 1, delta: 0.05, seed: 1 };
  assertThrows(() => certificateSoundness({ ...options, policy: {} }), InputError, "one mix");
});
