/** Bounds on degradation: cumulative and per step, and the walk that Eq. 48 as printed gets wrong. */
import fc from "fast-check";
import {
  cumulativeBound,
  dropBound,
  expectedDrops,
  mixtureViolation,
  probabilityOfDrop,
} from "../../../workflows/theory/degradation.ts";
import { InputError } from "../../../kernels/errors.ts";
import { Random } from "../../../workflows/data/random.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";

const unit = fc.double({ min: 0, max: 1, noNaN: true });

Deno.test("drop: the exact probability of a walk agrees with walking", () => {
  const [walk, random, runs] = [{ up: 0.02, down: 0.03, pUp: 0.7 }, new Random("walk"), 40_000];
  let dropped = 0;
  for (let run = 0; run < runs; run++) {
    let [ups, downs, below] = [0, 0, false];
    for (let t = 0; t < 8; t++) {
      if (random.unit() < walk.pUp) ups++;
      else downs++;
      below ||= ups * walk.up - downs * walk.down < -0.05 - 1e-12;
    }
    if (below) dropped++;
  }
  const exact = probabilityOfDrop(walk, 8, 0.05);
  assertAlmostEquals(dropped / runs, exact, 5 * Math.sqrt(exact / runs));
});

Deno.test("drop: Eq. 48 with the printed xi claims 0 for a walk that falls in 27 % of runs", () => {
  const walk = { up: 0.01, down: 0.09, pUp: 0.9 };
  assertEquals(dropBound([0], 3, 0.05).union, 0);
  assertAlmostEquals(probabilityOfDrop(walk, 3, 0.05), 1 - 0.9 ** 3, 1e-15);
});

Deno.test("drop: Markov's bound with expected drops is never below the exact probability", () => {
  const size = fc.double({ min: 0.001, max: 0.2, noNaN: true });
  const pUp = fc.double({ min: 0.01, max: 0.99, noNaN: true });
  fc.assert(fc.property(size, size, pUp, fc.integer({ min: 1, max: 12 }), (up, down, p, steps) => {
    const { perMetric: [bound] } = dropBound([(1 - p) * down], steps, 0.05);
    assert(probabilityOfDrop({ up, down, pUp: p }, steps, 0.05) <= bound + 1e-12);
  }));
});

Deno.test("drop: expected drops of a series, by hand", () => {
  assertEquals(expectedDrops([[1, 0], [0.5, 0.25], [0.75, 0.25]]), [0.25, 0]);
  assertThrows(() => expectedDrops([[1]]), InputError, "steps");
});

Deno.test("union: a mixture lies between its parts; Eq. 49 bounds it only for a worse environment", () => {
  fc.assert(fc.property(unit, unit, unit, (earlier, added, weight) => {
    const { mixture, printed, printedIsUpperBound } = mixtureViolation(earlier, added, weight);
    assert(
      Math.min(earlier, added) <= mixture + 1e-12 && mixture <= Math.max(earlier, added) + 1e-12,
    );
    assertAlmostEquals(printed, added, 1e-12);
    assert(!printedIsUpperBound || mixture <= printed + 1e-12);
  }));
});

Deno.test("cumulative: running bounds rise, the end is clamped", () => {
  fc.assert(fc.property(unit, fc.array(unit, { maxLength: 6 }), (initial, impacts) => {
    const { bound, clamped, running } = cumulativeBound(initial, impacts);
    assertEquals(running.at(-1) ?? initial, bound);
    assertEquals(clamped, Math.min(1, bound));
    running.forEach((value, s) => assert(value >= (running[s - 1] ?? initial)));
  }));
  assertThrows(() => cumulativeBound(0.1, [0.1, -0.1]), InputError, "impacts[1]");
});
