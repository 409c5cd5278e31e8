/** Safety and PAC bounds: their order, the simulation behind the exact form, and sample sizes. */
import fc from "fast-check";
import { clopperPearsonUpper } from "../../../workflows/theory/intervals.ts";
import {
  hoeffdingDeviation,
  hoeffdingSampleSize,
  pacBound,
} from "../../../workflows/theory/pac.ts";
import {
  overTurns,
  safetyBounds,
  type SafetyRates,
} from "../../../workflows/theory/safety_bounds.ts";
import {
  demonstrationsPrinted,
  demonstrationsSolved,
  generalisationGap,
} from "../../../workflows/theory/sample_complexity.ts";
import { Random } from "../../../workflows/data/random.ts";
import { InputError } from "../../../kernels/errors.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";

const unit = fc.double({ min: 0, max: 1, noNaN: true });
const inside = fc.double({ min: 1e-6, max: 0.999, noNaN: true });
const rates = fc.record({ epsM: unit, epsPi: unit, gammaCov: unit, pUnsafe: unit });

Deno.test("bounds: exact with patterns <= exact <= Eq. 33 <= Eq. 34 <= Eq. 28", () => {
  fc.assert(fc.property(rates, (one) => {
    const { exactWithPatterns, exact, eq33, eq34, eq28 } = safetyBounds(one);
    const rising = [0, exactWithPatterns, exact, eq33, eq34, eq28];
    for (let i = 1; i < rising.length; i++) assert(rising[i - 1] <= rising[i] + 1e-15, `${rising}`);
    assert(eq33 <= 1 + 1e-15, "Eq. 33 is a probability times a convex combination");
  }));
});

Deno.test("bounds: none falls when an error rate rises or coverage falls", () => {
  fc.assert(
    fc.property(rates, unit, fc.constantFrom("epsM", "epsPi", "pUnsafe"), (one, to, key) => {
      const worse = safetyBounds({ ...one, [key]: Math.max(one[key], to) });
      const uncovered = safetyBounds({ ...one, gammaCov: Math.min(one.gammaCov, to) });
      for (const [name, value] of Object.entries(safetyBounds(one))) {
        const at = name as keyof typeof worse;
        assert(worse[at] >= value - 1e-15, `${name} and ${key}`);
        assert(uncovered[at] >= value - 1e-15, `${name} and gammaCov`);
      }
    }),
  );
});

/** Violations among n replies that pass through the layers, each failing at its rate. */
function simulate({ epsM, epsPi, gammaCov, pUnsafe }: SafetyRates, n: number) {
  const random = new Random("layers");
  let [without, withPatterns] = [0, 0];
  for (let i = 0; i < n; i++) {
    if (random.unit() >= pUnsafe) continue;
    const escapes = random.unit() < epsM || random.unit() < epsPi;
    if (!escapes) continue;
    without++;
    if (random.unit() >= gammaCov) withPatterns++;
  }
  return { without: without / n, withPatterns: withPatterns / n };
}

Deno.test("bounds: layers that fail at their rates violate as often as the exact forms say", () => {
  const one = { epsM: 0.2, epsPi: 0.3, gammaCov: 0.6, pUnsafe: 0.5 };
  const n = 200_000;
  const { exact, exactWithPatterns } = safetyBounds(one);
  const { without, withPatterns } = simulate(one, n);
  // Five standard errors.
  assertAlmostEquals(without, exact, 5 * Math.sqrt(exact * (1 - exact) / n));
  assertAlmostEquals(withPatterns, exactWithPatterns, 5 * Math.sqrt(exactWithPatterns / n));
});

Deno.test("bounds: with perfect layers and no patterns Eq. 28 says 1 where V is 0", () => {
  const { exact, eq28 } = safetyBounds({ epsM: 0, epsPi: 0, gammaCov: 0, pUnsafe: 1 });
  assertEquals([exact, eq28], [0, 1]);
  const halves = safetyBounds({ epsM: 0.5, epsPi: 0.5, gammaCov: 0.5, pUnsafe: 0.5 });
  assertEquals(Object.values(halves), [0.1875, 0.375, 0.4375, 0.75, 1.25]);
  assertEquals([overTurns(0.25, 3), overTurns(0.25, 5)], [0.75, 1]);
});

Deno.test("PAC: the two-sided form is looser, and the exact limit is never looser than either", () => {
  const counts = fc.integer({ min: 1, max: 2000 }).chain((n) =>
    fc.record({ unsafeExamples: fc.constant(n), falseNegatives: fc.integer({ min: 0, max: n }) })
  );
  fc.assert(fc.property(counts, inside, (count, failure) => {
    const bound = pacBound({ ...count, failure, epsPi: 0.01, gammaCov: 0.9, pUnsafe: 0.2 });
    assert(bound.eq36 < bound.eq38);
    // Hoeffding bounds the binomial tail that Clopper and Pearson invert exactly.
    assert(bound.epsMUpper <= Math.min(1, bound.epsHat + bound.deviation36) + 1e-9);
    assertAlmostEquals(bound.clopperPearson - bound.epsMUpper, 0.01 + 0.1 * 0.2, 1e-12);
  }));
});

Deno.test("PAC: sample sizes are the smallest that suffice", () => {
  const deviation = fc.double({ min: 0.005, max: 0.4, noNaN: true });
  fc.assert(
    fc.property(
      deviation,
      inside,
      fc.constantFrom("one-sided", "two-sided"),
      (t, failure, sides) => {
        const n = hoeffdingSampleSize(t, failure, sides);
        assert(hoeffdingDeviation(n, failure, sides) <= t * (1 + 1e-12));
        if (n > 1) assert(hoeffdingDeviation(n - 1, failure, sides) > t * (1 - 1e-12));
      },
    ),
  );
  assertEquals(hoeffdingSampleSize(0.05, 0.05), 600);
});

Deno.test("PAC: over repeated draws the bound fails no more often than it may", () => {
  const [random, epsM, n, runs] = [new Random("pac"), 0.1, 100, 4000];
  let failed = 0;
  for (let run = 0; run < runs; run++) {
    let k = 0;
    for (let i = 0; i < n; i++) if (random.unit() < epsM) k++;
    if (clopperPearsonUpper(k, n, 0.95) < epsM) failed++;
  }
  assert(failed / runs <= 0.05, `${failed} of ${runs}`);
  assert(failed > 0, "a bound that never fails is not tight");
});

Deno.test("sample complexity: Eq. 16 solved is the smallest N of at least e d that reaches the gap", () => {
  const dimension = fc.integer({ min: 1, max: 300 });
  const accuracy = fc.double({ min: 0.02, max: 2, noNaN: true });
  fc.assert(fc.property(dimension, inside, accuracy, (d, failure, epsilon) => {
    const n = demonstrationsSolved(d, failure, epsilon);
    assert(generalisationGap(d, n, failure) <= epsilon);
    const least = Math.ceil(Math.E * d);
    assert(n === least || generalisationGap(d, n - 1, failure) > epsilon);
  }));
});

Deno.test("sample complexity: Eq. 15 as printed scales with B^2 and c, Eq. 16 knows neither", () => {
  const one = { dimension: 10, logBound: 2, failure: 0.05, accuracy: 0.1, constant: 1 };
  const printed = demonstrationsPrinted(one);
  assertAlmostEquals(printed, 10 * 4 * Math.log(200) / 0.01, 1e-8);
  assertAlmostEquals(demonstrationsPrinted({ ...one, logBound: 6 }), 9 * printed, 1e-6);
  assertEquals(demonstrationsSolved(10, 0.05, 0.1), 3003);
});

Deno.test("bounds: impossible inputs are refused and named", () => {
  const good = { epsM: 0.1, epsPi: 0.1, gammaCov: 0.5, pUnsafe: 0.5 };
  assertThrows(() => safetyBounds({ ...good, epsPi: 1.1 }), InputError, "epsPi");
  assertThrows(() => safetyBounds({ ...good, gammaCov: NaN }), InputError, "gammaCov");
  assertThrows(() => overTurns(0.1, 1.5), InputError, "turns");
  assertThrows(() => hoeffdingSampleSize(0, 0.05), InputError, "deviation");
  assertThrows(() => hoeffdingDeviation(10, 1), InputError, "failure");
  assertThrows(() => generalisationGap(10, 9, 0.05), InputError, "samples");
  assertThrows(() => demonstrationsSolved(0.5, 0.05, 0.1), InputError, "dimension");
  assertThrows(() => demonstrationsSolved(10, 0.05, 1e-9), InputError, "accuracy");
});
