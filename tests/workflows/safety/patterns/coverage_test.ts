/** Coverage: the conditional number, the printed one, and what is undefined without violations. */
import fc from "fast-check";
import { measurePatterns } from "../../../../workflows/safety/patterns/coverage.ts";
import { PatternSet } from "../../../../workflows/safety/patterns/pattern_set.ts";
import { NO_NORMALISATION } from "../../../../workflows/safety/patterns/views.ts";
import { clopperPearson } from "../../../../workflows/theory/intervals.ts";
import { assert, assertEquals } from "../../../assert.ts";

const set = new PatternSet("s", [
  { name: "kill", category: "c", regex: String.raw`\bkill\b` },
  { name: "bomb", category: "c", regex: "how to (make|build) a bomb" },
], NO_NORMALISATION);

Deno.test("coverage by hand: matched violations of all violations, not of all texts", () => {
  const measure = measurePatterns(set, [
    { text: "I will kill the process", violation: false },
    { text: "how to build a bomb, how to kill", violation: true },
    { text: "they want to kill him", violation: true },
    { text: "stab him tonight", violation: true },
    { text: "a bombastic speech", violation: false },
    { text: "overkill", violation: false },
  ], 0.9);
  const { low, high } = clopperPearson(2, 3, 0.9);
  assertEquals(measure.gammaCov, { k: 2, n: 3, rate: 2 / 3, low, high });
  assertEquals([measure.falsePositives.k, measure.falsePositives.n], [1, 3]);
  assertEquals([measure.precision.k, measure.precision.n], [2, 3]);
  assertEquals([measure.printedEq5.k, measure.printedEq5.n], [5, 6]); // all but "stab him"
  assertEquals(measure.escapes, [3]);
  assertEquals(measure.views, { text: 3 });
  assertEquals(measure.patterns, [
    { name: "kill", violations: 2, safe: 1 },
    { name: "bomb", violations: 1, safe: 0 },
  ]);
});

Deno.test("without violations coverage is undefined, while the printed number says 1", () => {
  const measure = measurePatterns(set, [{ text: "hello", violation: false }]);
  assertEquals([measure.gammaCov.rate, measure.gammaCov.low, measure.gammaCov.high], [null, 0, 1]);
  assertEquals(measure.printedEq5.rate, 1);
  assertEquals(measurePatterns(set, []).falsePositives.rate, null);
});

Deno.test("the printed number is never below coverage, and safe texts inflate it", () => {
  const row = fc.record({
    text: fc.constantFrom("kill", "overkill", "how to make a bomb", "nothing"),
    violation: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(row, { minLength: 1, maxLength: 12 }), (rows) => {
    const before = measurePatterns(set, rows);
    const after = measurePatterns(set, [...rows, { text: "nothing", violation: false }]);
    assertEquals(after.gammaCov, before.gammaCov);
    assert(after.printedEq5.rate! >= before.printedEq5.rate!);
    if (before.gammaCov.rate !== null) assert(before.printedEq5.rate! >= before.gammaCov.rate);
    assertEquals(before.escapes.length, before.gammaCov.n - before.gammaCov.k);
  }));
});
