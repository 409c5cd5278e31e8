/** Errors and verdicts: nothing that is not a number, too short or empty may pass. */
import fc from "fast-check";
import { answerError } from "../../../workflows/verify/answers.ts";
import { largestDifference } from "../../../workflows/verify/invariants.ts";
import { caseLines, closingLines, report } from "../../../workflows/verify/report.ts";
import {
  differences,
  groupCheck,
  holds,
  largestRelativeError,
  relativeError,
  summarise,
} from "../../../workflows/verify/result.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";

Deno.test("relative error: by hand, of zeros, and of what is no number", () => {
  assertAlmostEquals(relativeError([3, 4.5], [3, 4]), 0.1, 1e-12);
  assertEquals(relativeError([0.25], [0]), 0.25);
  assertEquals(relativeError([1], [1, 2]), Infinity);
  for (const [got, want] of [[NaN, 1], [1, NaN], [NaN, NaN], [Infinity, Infinity], [1, Infinity]]) {
    assertEquals(relativeError([got, 1], [want, 1]), Infinity);
  }
  assertEquals(largestRelativeError([1, 1, 0.02], [1, 1, 0.01]), 1);
  assertEquals(largestRelativeError([1], [1, 1]), Infinity);
  assertEquals(largestRelativeError([NaN], [1]), Infinity);
});

Deno.test("relative error does not change when both sides are scaled", () => {
  const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 8 });
  fc.assert(fc.property(values, fc.integer({ min: 1, max: 64 }), (want, scale) => {
    fc.pre(want.some((v) => v !== 0));
    const got = want.map((v, i) => v + Math.sin(i));
    const error = relativeError(got, want);
    const scaled = relativeError(got.map((v) => v * scale), want.map((v) => v * scale));
    assertAlmostEquals(scaled, error, 1e-12 * (1 + error));
  }));
});

Deno.test("differences count places and surplus, bits count as difference", () => {
  assertEquals(differences([1, 2, 3], [1, 5, 3]), 1);
  assertEquals(differences([1, 2], [1, 2, 3, 4]), 2);
  assertEquals(largestDifference([1, 2], [1, 2]), 0);
  assertEquals(largestDifference([1, 2.5], [1, 2]), 0.5);
  assert(largestDifference([0], [-0]) > 0);
  assertEquals(largestDifference([NaN], [NaN]), Infinity);
  assertEquals(largestDifference([1], [1, 1]), Infinity);
});

Deno.test("a group's check names its worst member, also when that is no number", () => {
  const check = (errors: [string, number][]) => groupCheck("grad", 1e-4, errors);
  assertEquals(check([["a", 1e-6], ["b", 1e-3], ["c", 0]]).where, "b");
  assertEquals(check([["a", 1e-3], ["b", NaN]]).where, "b");
  assert(!holds(check([["a", 0], ["b", NaN]])));
  assert(holds(check([["a", 1e-4]])));
  assertThrows(() => check([]), Error, "empty");
});

Deno.test("the report counts cases, keeps the strained check and stays JSON", () => {
  const line = (worst: number, limit: number) => ({ quantity: "x", worst, limit });
  const results = [
    { id: "good", checks: [line(1e-7, 1e-5), line(9e-5, 1e-4)], notCovered: ["js"] },
    { id: "bad", checks: [line(0, 0), line(Infinity, 0)], notCovered: [] },
    { id: "kind/1", checks: [], notCovered: ["a", "b"] },
    { id: "kind/2", checks: [], notCovered: ["a", "b"] },
  ];
  const summary = report(results);
  assertEquals(JSON.parse(JSON.stringify(summary)), {
    passed: 1,
    failed: 1,
    cases: [
      { id: "good", ok: true, worst: 9e-5, limit: 1e-4 },
      { id: "bad", ok: false, worst: Number.MAX_VALUE, limit: 0 },
    ],
    not_covered: ["good: js", "kind/1", "kind/2"],
  });
  assertEquals(closingLines(results, summary), [
    "not covered by this build: js of good, kind (2)",
    "1 passed, 1 failed",
  ]);
  assert(caseLines(results[1])[1].endsWith("FAILED"));
  assert(!summarise({ id: "x", checks: [line(NaN, 1)], notCovered: [] }).ok);
});

Deno.test("answers: tolerance grows with the number, all else must be equal", () => {
  assertAlmostEquals(answerError(1001, 1000), 1e-3, 1e-12);
  assertEquals(answerError(0.25, 0), 0.25);
  assertEquals(answerError(Infinity, "Infinity"), 0);
  assertEquals(answerError(-Infinity, "-Infinity"), 0);
  for (const [got, want] of [[NaN, 1], [1, "1"], [1, null], [Infinity, 1], [1, "Infinity"]]) {
    assertEquals(answerError(got, want), Infinity);
  }
  assertEquals(answerError([1, { a: "x", b: null }], [1, { a: "x", b: null }]), 0);
  assertEquals(answerError([1, 2], [1, 2.5]), 0.2);
  for (const [got, want] of [[[1], [1, 2]], [{ a: 1 }, { b: 1 }], ["x", "y"], [[1], { 0: 1 }]]) {
    assertEquals(answerError(got, want), Infinity);
  }
});
