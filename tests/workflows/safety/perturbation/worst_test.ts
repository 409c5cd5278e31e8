/** The inner maximum of Eq. 11: exact where the ball is small, a lower bound where it is not. */
import fc from "fast-check";
import { InputError } from "../../../../kernels/errors.ts";
import { Random } from "../../../../workflows/data/random.ts";
import { EditBall, editBall } from "../../../../workflows/safety/perturbation/ball.ts";
import { editDistance } from "../../../../workflows/safety/perturbation/edit_distance.ts";
import type { EditSpace } from "../../../../workflows/safety/perturbation/edit_space.ts";
import {
  type BatchLoss,
  exactMaximum,
  searchMaximum,
  worstPerturbation,
} from "../../../../workflows/safety/perturbation/worst.ts";
import { assert, assertEquals, assertRejects } from "../../../assert.ts";

/** Sum of an item's score by place, so that order matters. */
const placed: BatchLoss<number> = (words) =>
  words.map((word) => word.reduce((sum, item, i) => sum + Math.sin(7 * item + 3 * i), 0));

const spaces: fc.Arbitrary<EditSpace<number>> = fc.record({
  word: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 6 }),
  alphabet: fc.constant([0, 1, 2]),
  budget: fc.integer({ min: 0, max: 2 }),
});

Deno.test("worst: the exact maximum and all maximisers of a finite ball", async () => {
  const loss: BatchLoss<string> = (words) =>
    words.map((word) => {
      const scores = word.reduce((sum, c) => sum + { a: 0, b: 1, c: 0.75 }[c]!, 0);
      return scores - 0.25 * editDistance(word, ["a", "b", "a"]);
    });
  const ball = editBall("aba", "abc", 1);
  const worst = await exactMaximum(ball, loss);
  assertEquals(worst.loss, 1.75);
  assertEquals(worst.clean, 1);
  assertEquals(worst.maximisers.map((m) => m.join("")), ["abab", "abb", "abba", "baba", "bba"]);
  assertEquals([worst.exact, worst.evaluations], [true, Number(ball.size) + 1]);
});

Deno.test("worst: a ball of many batches is evaluated whole", async () => {
  const ball = editBall("abcabc", "abcd", 2);
  assert(ball.size > 512n);
  const seen = new Set<string>();
  const last = [...ball].at(-1)!.join("");
  const loss: BatchLoss<string> = (words) =>
    words.map((word) => {
      seen.add(word.join(""));
      return Number(word.join("") === last);
    });
  const worst = await exactMaximum(ball, loss);
  assertEquals([worst.perturbation.join(""), worst.loss], [last, 1]);
  assertEquals([BigInt(seen.size), worst.evaluations], [ball.size, Number(ball.size) + 1]);
});

Deno.test("worst: the exact maximum is at least what any search finds, and search stays inside", async () => {
  await fc.assert(
    fc.asyncProperty(spaces, fc.integer({ min: 2, max: 40 }), fc.nat(), async (space, n, seed) => {
      const ball = new EditBall(space);
      const exact = await exactMaximum(ball, placed);
      const options = { evaluations: n, random: new Random(seed) };
      const found = await searchMaximum(space, placed, options);
      assert(exact.loss >= found.loss);
      assert(found.loss >= found.clean);
      assert(ball.has(found.perturbation));
      assertEquals([found.exact, found.evaluations <= n], [false, true]);
      assertEquals((await placed([found.perturbation]))[0], found.loss);
    }),
    { numRuns: 200 },
  );
});

Deno.test("worst: with enough evaluations for one edit, search is exact", async () => {
  await fc.assert(
    fc.asyncProperty(spaces, async (space) => {
      const one = { ...space, budget: 1 };
      const options = { evaluations: 1000, random: new Random(1) };
      const found = await searchMaximum(one, placed, options);
      assertEquals(found.loss, (await exactMaximum(new EditBall(one), placed)).loss);
    }),
    { numRuns: 30 },
  );
});

Deno.test("worst: a guide is followed and its cost counted; one that costs over half of a round is not asked", async () => {
  const space = { word: [0, 0, 0, 0], alphabet: [0, 1, 2], budget: 1 };
  const edit = { kind: "replace", at: 3, item: 2 } as const;
  const loss: BatchLoss<number> = (words) => words.map((w) => Number(w.join() === "0,0,0,2"));
  const guide = { cost: () => 3, predict: () => [{ edit, gain: 1 }] };
  const random = new Random(1);
  const found = await searchMaximum(space, loss, { evaluations: 7, random, guide });
  assertEquals([found.loss, found.evaluations], [1, 5]);
  const asked: number[] = [];
  const dear = { cost: () => 4, predict: () => (asked.push(1), []) };
  const blind = await searchMaximum(space, loss, { evaluations: 7, random, guide: dear });
  assertEquals([asked.length, blind.evaluations], [0, 7]);
});

Deno.test("worst: exact is chosen where the ball fits the budget, and said", async () => {
  const space = { word: [0, 1], alphabet: [0, 1, 2], budget: 1 };
  const size = Number(new EditBall(space).size);
  const options = { random: new Random(1) };
  const exact = await worstPerturbation(space, placed, { ...options, evaluations: size + 1 });
  const bound = await worstPerturbation(space, placed, { ...options, evaluations: size });
  assertEquals([exact.exact, bound.exact], [true, false]);
});

Deno.test("worst: refuses balls that are too large, budgets that are too small, losses that are no numbers", async () => {
  const ball = editBall("hello", "helo", 2);
  const nan: BatchLoss<string> = (words) => words.map(() => NaN);
  const zero: BatchLoss<string> = (words) => words.map(() => 0);
  await assertRejects(() => exactMaximum(ball, zero, 10), InputError, `${ball.size} members`);
  await assertRejects(() => exactMaximum(ball, nan), InputError, "not a number");
  const options = { evaluations: 1, random: new Random(1) };
  await assertRejects(() => searchMaximum(ball.space, zero, options), InputError, "at least 2");
});
