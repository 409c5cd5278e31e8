/** Losses and divergences of replies in packed batches, and first-order scores, against one sequence at a time. */
import { InputError } from "../../../../kernels/errors.ts";
import { Random } from "../../../../workflows/data/random.ts";
import {
  allowedEdits,
  applyEdit,
  wholeSpace,
} from "../../../../workflows/safety/perturbation/edit_space.ts";
import { FirstOrder } from "../../../../workflows/safety/perturbation/first_order.ts";
import {
  surrogateLoss,
  violationBound,
} from "../../../../workflows/safety/perturbation/hidden_loss.ts";
import { perturbedBatch } from "../../../../workflows/safety/perturbation/imagination.ts";
import { placeCases } from "../../../../workflows/safety/perturbation/placement.ts";
import { ReplyScorer } from "../../../../workflows/safety/perturbation/reply_scorer.ts";
import { searchMaximum } from "../../../../workflows/safety/perturbation/worst.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../../assert.ts";
import { logProbs, policyOf, replyLoss, TINY, tinyWeights } from "./policies.ts";

const random = new Random(3, "cases");
const tokens = (count: number) => Array.from({ length: count }, () => random.below(TINY.vocabSize));
const CASES = Array.from({ length: 11 }, (_, i) => ({
  context: tokens(1 + i % 7),
  reply: tokens(1 + i % 4),
}));

Deno.test("scorer: losses in packed rows are those of each sequence alone", async () => {
  const parameters = await policyOf(tinyWeights());
  const scorer = new ReplyScorer(parameters, { rows: 2 });
  const losses = await scorer.losses(CASES);
  for (const [i, { context, reply }] of CASES.entries()) {
    assertAlmostEquals(losses[i], await replyLoss(parameters, context, reply), 1e-4);
  }
  scorer.destroy();
});

Deno.test("scorer: divergences along a reply are those of each pair alone, and 0 for equal contexts", async () => {
  const parameters = await policyOf(tinyWeights());
  const scorer = new ReplyScorer(parameters, { rows: 2 });
  const pairs = CASES.map((one, i) => ({
    ...one,
    perturbed: i === 0 ? one.context : tokens(2 + i % 5),
  }));
  const got = await scorer.divergences(pairs);
  assertAlmostEquals(got[0], 0, 1e-6);
  for (const [i, { context, perturbed, reply }] of pairs.entries()) {
    const p = (await logProbs(parameters, [...context, ...reply])).slice(context.length - 1);
    const q = (await logProbs(parameters, [...perturbed, ...reply])).slice(perturbed.length - 1);
    let want = 0;
    reply.forEach((_, t) => p[t].forEach((log, v) => want += Math.exp(log) * (log - q[t][v])));
    assertAlmostEquals(got[i], want, 1e-4);
  }
  scorer.destroy();
});

Deno.test("placement: every reply is found again, groups stay together, rows are powers of two", () => {
  const batches = placeCases(CASES, 20, 4, 1);
  const seen: number[] = [];
  for (const { rows, placed } of batches) {
    assert([1, 2, 4].includes(rows.rows));
    for (const { index, first, count } of placed) {
      seen.push(index);
      assertEquals([...rows.targets.subarray(first, first + count)], CASES[index].reply);
      assertEquals(rows.weights.subarray(first, first + count).every((w) => w === 1), true);
    }
    const total = rows.weights.reduce((sum, w) => sum + w, 0);
    assertEquals(total, placed.reduce((sum, { count }) => sum + count, 0));
  }
  assertEquals(seen.sort((a, b) => a - b), CASES.map((_, i) => i));
  const long = [{ context: tokens(15), reply: tokens(9) }];
  assertThrows(() => placeCases(long, 20, 4), InputError, "24 tokens, a row has 20");
  assertThrows(() => placeCases([{ context: [], reply: [1] }], 20, 4), InputError, "at least one");
});

Deno.test("imagination: places of a reply under h and under h_delta predict the same tokens", () => {
  const pairs = CASES.flatMap(({ context, reply }) => [
    { context, reply },
    { context: [...context, 3], reply },
  ]);
  const { tokens: batch, original, perturbed, weights } = perturbedBatch(pairs, 20, 12);
  assertEquals(batch.rows, 12);
  assertEquals(original.length, CASES.reduce((sum, { reply }) => sum + reply.length, 0));
  assertEquals(weights.length, original.length);
  original.forEach((place, i) => {
    assertEquals(batch.targets[place], batch.targets[perturbed[i]]);
    assertEquals([batch.weights[place], batch.weights[perturbed[i]]], [0, 1]);
  });
  assertEquals(new Set([...original, ...perturbed]).size, 2 * original.length);
});

Deno.test("hidden loss: the surrogate bounds the probability of any other reply", () => {
  const logProbs = [-0.5, -0.25];
  assertEquals(surrogateLoss(logProbs), 0.75);
  assertAlmostEquals(violationBound(0.75), 1 - Math.exp(-0.75), 1e-15);
  assert(violationBound(0.75) <= 0.75 && violationBound(1e-12) > 0);
});

Deno.test("first order: a replacement's score is the derivative of the loss towards the new embedding", async () => {
  const weights = tinyWeights();
  const parameters = await policyOf(weights);
  const firstOrder = new FirstOrder(parameters, { rows: 4 });
  const [word, reply] = [[3, 9, 14, 7], [5, 2, 11]];
  const space = wholeSpace({
    word,
    alphabet: [1, 6, 20],
    budget: 1,
    open: word.map(() => false).concat(false),
  });
  const edits = await firstOrder.guide(reply).predict(space);
  const replacements = edits.filter(({ edit }) => edit.kind === "replace");
  assertEquals(replacements.length, 12);
  const step = 1e-2;
  for (const { edit, gain } of replacements) {
    if (edit.kind !== "replace") continue;
    const moved = async (by: number) => {
      const embed = weights.tensors.get("embed.weight")!.slice();
      for (let d = 0; d < TINY.width; d++) {
        const own = word[edit.at] * TINY.width + d;
        embed[own] += by * (embed[edit.item * TINY.width + d] - embed[own]);
      }
      const tensors = new Map(weights.tensors).set("embed.weight", embed);
      const policy = await policyOf({ ...weights, tensors });
      const loss = await replyLoss(policy, word, reply);
      policy.destroy();
      return loss;
    };
    const derivative = (await moved(step) - await moved(-step)) / (2 * step);
    assertAlmostEquals(gain, derivative, 5e-3 * Math.max(1, Math.abs(derivative)));
  }
  firstOrder.destroy();
});

Deno.test("first order: deletions and placeholders are measured, and the order beats chance", async () => {
  const parameters = await policyOf(tinyWeights());
  const firstOrder = new FirstOrder(parameters, { rows: 4 });
  const scorer = new ReplyScorer(parameters);
  const alphabet = Array.from({ length: TINY.vocabSize }, (_, id) => id);
  let [guided, blind] = [0, 0];
  for (let i = 0; i < 6; i++) {
    const [word, reply] = [tokens(5), tokens(3)];
    const space = wholeSpace({ word, alphabet, budget: 1 });
    const guide = firstOrder.guide(reply);
    const [edits, evaluations] = [await guide.predict(space), guide.cost(space)];
    assertEquals(edits.length, allowedEdits(space).length);
    assertEquals(evaluations, 3 * (1 + 5 + 6));
    const clean = await replyLoss(parameters, word, reply);
    const measured = edits.filter(({ edit }) =>
      edit.kind === "delete" || edit.kind === "insert" && edit.item === alphabet[0]
    );
    for (const { edit, gain } of measured.slice(0, 4)) {
      const loss = await replyLoss(parameters, applyEdit(space, edit).word, reply);
      assertAlmostEquals(gain, loss - clean, 1e-4);
    }
    const loss = (words: readonly (readonly number[])[]) =>
      scorer.losses(words.map((context) => ({ context, reply })));
    const tries = 40; // of 265 edits; beside what the guide costs
    const options = { random: new Random(i) };
    guided += (await searchMaximum(space, loss, {
      ...options,
      guide,
      evaluations: 1 + evaluations + tries,
    }))
      .loss;
    blind += (await searchMaximum(space, loss, { ...options, evaluations: 1 + tries })).loss;
  }
  assert(guided > blind, `guided ${guided}, blind ${blind}`);
  firstOrder.destroy();
  scorer.destroy();
});
