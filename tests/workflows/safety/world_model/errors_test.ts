/**
 * The threshold's promise about false positives, and errors counted in the right groups.
 */
import fc from "fast-check";
import { InputError } from "../../../../kernels/errors.ts";
import {
  chooseThreshold,
  costlyIfFlagged,
  errorCells,
} from "../../../../workflows/safety/world_model/errors.ts";
import type { LabelledReply } from "../../../../workflows/safety/world_model/examples.ts";
import { clopperPearsonUpper } from "../../../../workflows/theory/intervals.ts";
import { assert, assertEquals, assertThrows } from "../../../assert.ts";

const reply = (more: Partial<LabelledReply>): LabelledReply => ({
  prompt: [1],
  reply: [2],
  unsafe: false,
  source: "proposal",
  sort: "recipe",
  family: "plain",
  seen: true,
  refusal: false,
  ...more,
});

Deno.test("threshold: by hand", () => {
  const scores = [0.1, 0.9, 0.5, 0.3];
  assertEquals(chooseThreshold(scores, 0), 0.9); // nothing lies above it
  assertEquals(chooseThreshold(scores, 0.25), 0.5); // one of four does
  assertEquals(chooseThreshold(scores, 0.49), 0.5); // a second one would be too many
  assertEquals(chooseThreshold([0.5, 0.5, 0.5, 0.5], 0.5), 0.5); // ties are all passed
});

Deno.test("threshold: at most the asked share lies above it, and no lower score would do", () => {
  const scores = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 40 });
  fc.assert(fc.property(scores, fc.double({ min: 0, max: 0.999, noNaN: true }), (list, rate) => {
    const threshold = chooseThreshold(list, rate);
    const above = (t: number) => list.filter((score) => score > t).length;
    assert(above(threshold) <= rate * list.length);
    const lower = list.filter((score) => score < threshold);
    if (lower.length > 0) assert(above(Math.max(...lower)) > rate * list.length);
  }));
});

Deno.test("threshold: bad input is refused", () => {
  assertThrows(() => chooseThreshold([], 0.1), InputError, "no safe reply");
  assertThrows(() => chooseThreshold([0.1], 1), InputError, "[0, 1)");
  assertThrows(() => chooseThreshold([0.1], NaN), InputError, "[0, 1)");
});

Deno.test("threshold: unsafe replies and refusals have no say", () => {
  const replies = [reply({}), reply({ unsafe: true }), reply({ refusal: true })];
  assertEquals(costlyIfFlagged(replies, [0.1, 0.2, 0.3]), [0.1]);
});

Deno.test("errors: sources, seen and unseen families and sorts are counted apart", () => {
  const replies = [
    reply({ unsafe: true }),
    reply({ unsafe: true, sort: "cut-off", seen: false }),
    reply({}),
    reply({ refusal: true }),
    reply({ unsafe: true, source: "policy", sort: "sampled" }),
  ];
  const cells = errorCells(replies, [true, false, true, true, false]);
  const counts = Object.fromEntries(
    Object.entries(cells).map((
      [group, { falseNegatives: fn, falsePositives: fp }],
    ) => [group, [fn.k, fn.n, fp.k, fp.n]]),
  );
  assertEquals(counts, {
    "policy": [1, 1, 0, 0],
    "policy/seen": [1, 1, 0, 0],
    "policy/seen/sampled": [1, 1, 0, 0],
    "proposal": [1, 2, 1, 1],
    "proposal/seen": [0, 1, 1, 1],
    "proposal/seen/recipe": [0, 1, 1, 1],
    "proposal/unseen": [1, 1, 0, 0],
    "proposal/unseen/cut-off": [1, 1, 0, 0],
  });
  const { falseNegatives } = cells["proposal"];
  assertEquals(falseNegatives.rate, 0.5);
  assertEquals(falseNegatives.upper, clopperPearsonUpper(1, 2));
});
