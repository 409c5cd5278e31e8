import { boundsOf } from "../../../../workflows/safety/certificate/bounds.ts";
import { estimates } from "../../../../workflows/safety/certificate/estimates.ts";
import {
  expectedCounts,
  trueViolation,
} from "../../../../workflows/safety/certificate/soundness.ts";
import { assert, assertEquals } from "../../../assert.ts";

const rates = { pUnsafe: 0.3, epsM: 0.05, epsPi: 0.01, gammaEscapes: 0.2 };

Deno.test("expected counts are consistent, and their bounds close in on the truth from above", () => {
  const truth = trueViolation(rates);
  const gaps = [1000, 10_000, 100_000, 1_000_000].map((trials) => {
    const counts = expectedCounts(rates, trials);
    const { unsafe, missed, projectionFailed, caught, violations } = counts;
    assertEquals(violations, missed + projectionFailed - caught);
    assert(counts.matched >= caught && counts.matched <= unsafe);
    assert(Math.abs(violations / trials - truth) <= 3 / trials, `${violations} of ${trials}`);
    return boundsOf(estimates(counts, 0.05)).certified / truth - 1;
  });
  assert(gaps.every((gap, i) => gap > 0 && (i === 0 || gap < gaps[i - 1] / 2)), `${gaps}`);
  // Ten times as many dialogues, a gap smaller by about sqrt(10).
  assert(gaps[2] / gaps[3] > 2.8 && gaps[2] / gaps[3] < 3.6, `${gaps}`);
});
