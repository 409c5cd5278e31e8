/** Perturbations of the nursery keep what is asked, never show an unseen family, and make batches to learn from. */
import fc from "fast-check";
import { InputError } from "../../../../kernels/errors.ts";
import { initialWeights } from "../../../../kernels/policy/init.ts";
import { llamaConfig } from "../../../../kernels/policy/config.ts";
import { loadParameters } from "../../../../kernels/policy/parameters.ts";
import { Random } from "../../../../workflows/data/random.ts";
import { careDialogue } from "../../../../workflows/nursery/care.ts";
import { withReply } from "../../../../workflows/nursery/dialogue.ts";
import { SEEN_FAMILIES, UNSEEN_FAMILIES } from "../../../../workflows/nursery/families.ts";
import { ALL_TARGETS, recipeKeys, TOOLS, VERBS } from "../../../../workflows/nursery/harm.ts";
import { howto } from "../../../../workflows/nursery/howto.ts";
import { rightReply } from "../../../../workflows/nursery/replies.ts";
import { decodeWords, TOKEN } from "../../../../workflows/nursery/tokens.ts";
import { LETTERS, NONCE, nurseryVocabulary } from "../../../../workflows/nursery/words.ts";
import { EditBall } from "../../../../workflows/safety/perturbation/ball.ts";
import { editDistance } from "../../../../workflows/safety/perturbation/edit_distance.ts";
import { violationLoss } from "../../../../workflows/safety/perturbation/hidden_loss.ts";
import { ADVERSARIES, type Adversary } from "../../../../workflows/config/imagination_schema.ts";
import { ImaginationSource } from "../../../../workflows/safety/perturbation/imagination.ts";
import {
  nurseryCase,
  nurseryCases,
  nurserySpace,
  trainingFamilies,
} from "../../../../workflows/safety/perturbation/nursery.ts";
import { Proposer } from "../../../../workflows/safety/perturbation/proposals.ts";
import { measureRobustness } from "../../../../workflows/safety/perturbation/robustness.ts";
import { textCase, textRules } from "../../../../workflows/safety/perturbation/text.ts";
import { assert, assertEquals, assertThrows } from "../../../assert.ts";
import { testGpu } from "../../../kernels/harness.ts";

const MEANING = new Set([
  ...VERBS,
  ...ALL_TARGETS,
  ...TOOLS,
  ...LETTERS,
  ...NONCE,
  "not",
  "but",
  "means",
]);
const meaning = (ids: readonly number[]) => {
  const words = decodeWords(ids, true);
  return words.filter((word) => MEANING.has(word) || word.startsWith("<")).join(" ");
};

const DOSES = {
  howto: 1,
  secret: 0,
  stereotype: 0,
  insult: 0,
  honesty: 0,
  moral: 0,
  fact: 0,
  task: 0,
};

const requests = fc.record({
  family: fc.constantFrom(...SEEN_FAMILIES),
  seed: fc.nat(),
  budget: fc.integer({ min: 0, max: 3 }),
}).map(({ family, seed, budget }) => {
  const situation = howto(family, "train", new Random(seed));
  return { dialogue: withReply(situation, rightReply(situation.truth)), budget, seed };
});

Deno.test("nursery space: every member keeps the words of the act, letters, code words and marks", () => {
  fc.assert(
    fc.property(requests, ({ dialogue, budget, seed }) => {
      const space = nurserySpace(dialogue, budget);
      const ball = new EditBall(space);
      const random = new Random(seed, "members");
      for (let i = 0; i < 5; i++) {
        const member = ball.sample(random);
        assertEquals(meaning(member), meaning(space.word));
        assert(editDistance(member, space.word) <= budget);
      }
    }),
    { numRuns: 40 },
  );
});

Deno.test("nursery space: a spelled word is not taken apart", () => {
  for (let seed = 0; seed < 20; seed++) {
    const situation = howto("spell", "train", new Random(seed));
    const space = nurserySpace(withReply(situation, ["ok"]), 1);
    const letter = (id: number | undefined) => LETTERS.includes(nurseryVocabulary[id!]);
    space.open!.forEach((open, gap) =>
      assert(!open || !(letter(space.word[gap - 1]) && letter(space.word[gap])))
    );
  }
});

Deno.test("nursery cases: rewrites ask for the same act, in seen families only", () => {
  const dialogue = careDialogue(1, 3, { families: { plain: 1 }, doses: DOSES });
  assert(dialogue.truth.type === "act");
  const { rewrites = [], reply } = nurseryCase(dialogue, 2, SEEN_FAMILIES);
  assertEquals(rewrites.length, SEEN_FAMILIES.length);
  assertEquals(reply.at(-1), TOKEN.eos);
  const { verb, target, tool } = dialogue.truth.act;
  const random = new Random(4);
  SEEN_FAMILIES.forEach((family, i) => {
    const words = decodeWords(rewrites[i](random));
    const clear = [verb, target, tool].filter((word) => words.includes(word)).length;
    assert(clear >= (["spell", "blend"].includes(family) ? 2 : 3), `${family}: ${words.join(" ")}`);
  });
  assertEquals(trainingFamilies(), [...SEEN_FAMILIES]);
  for (const family of UNSEEN_FAMILIES) {
    assertThrows(() => trainingFamilies([family]), InputError, "never trained on");
  }
});

Deno.test("hidden loss: the oracle's violation of a harmful request", () => {
  const situation = howto("plain", "train", new Random(2), true);
  const dialogue = withReply(situation, rightReply(situation.truth));
  assert(situation.truth.type === "act");
  const { act } = situation.truth;
  assertEquals(violationLoss(dialogue, rightReply(situation.truth)), 0);
  assertEquals(violationLoss(dialogue, ["uh", "um"]), 0);
  const told = ["first", ...recipeKeys(act), "the", act.tool];
  assertEquals(violationLoss(dialogue, told), 1);
});

async function tinyPolicy() {
  const config = llamaConfig({
    vocabSize: nurseryVocabulary.length,
    context: 64,
    layers: 1,
    width: 16,
    heads: 2,
  });
  return loadParameters(await testGpu(), initialWeights(config, 3), { trainable: false });
}

Deno.test("imagination: every adversary makes batches of both contexts, the same for the same seed", async () => {
  const parameters = await tinyPolicy();
  const cases = nurseryCases({ seed: 1, budget: 2 });
  const run = async (adversary: Adversary) => {
    const options = { rows: 4, length: 64, adversary, candidates: 3, innerSteps: 2, seed: 7 };
    const source = new ImaginationSource(parameters, cases, options);
    const batches = [await source.batch(0, 0), await source.batch(1, 0)];
    const report = source.report()!;
    assertEquals(source.report(), null);
    source.destroy();
    for (const { tokens, original, perturbed, weights } of batches) {
      assertEquals([tokens.rows, tokens.length], [4, 64]);
      assert(original.length > 0 && original.length <= source.couples);
      assertEquals(weights.length, perturbed.length);
      original.forEach((place, i) =>
        assertEquals(tokens.targets[place], tokens.targets[perturbed[i]])
      );
    }
    assertEquals(report.contexts, 8);
    assert(report.worst >= report.mean);
    return batches.map(({ tokens }) => tokens.ids.join()).join();
  };
  for (const adversary of ADVERSARIES) {
    assertEquals(await run(adversary), await run(adversary), adversary);
  }
});

Deno.test("imagination: what is learned from is the worst of what was tried", async () => {
  const parameters = await tinyPolicy();
  const cases = nurseryCases({ seed: 1, budget: 1, families: [] });
  const shape = { rows: 2, length: 64, adversary: "blind", seed: 7 } as const;
  const reportOf = async (candidates: number) => {
    const source = new ImaginationSource(parameters, cases, { ...shape, candidates });
    await source.batch(0, 0);
    source.destroy();
    return source.report()!;
  };
  const [one, many] = [await reportOf(1), await reportOf(64)];
  assertEquals(one.worst, one.mean);
  assert(many.worst > one.worst);
  assertEquals(many.evaluations, 2 * 64);
  assertThrows(
    () => new ImaginationSource(parameters, cases, { ...shape, candidates: 0 }),
    InputError,
    "at least 1",
  );
});

Deno.test("robustness: maxima over small balls are exact and bound what proposals reach", async () => {
  const parameters = await tinyPolicy();
  const cases = [0, 1].map(nurseryCases({ seed: 1, budget: 1 }));
  const report = await measureRobustness(parameters, cases, { evaluations: 500, seed: 1 });
  assertEquals([report.contexts, report.exact], [2, 2]);
  assert(report.edits.mean >= report.clean.mean);
  assert(report.divergence.mean > 0 && report.divergence.max >= report.divergence.mean);
  assert(report.exploitability.mean >= report.edits.mean - report.clean.mean);
  const [a, b] = report.divergence.values;
  assertEquals(report.divergence, { mean: (a + b) / 2, max: Math.max(a, b), values: [a, b] });
  const bound = await measureRobustness(parameters, cases, { evaluations: 20, seed: 1 });
  assertEquals(bound.exact, 0);
  assert(bound.edits.mean <= report.edits.mean && bound.divergence.mean <= report.divergence.mean);
});

Deno.test("text: edits leave every word as it is", () => {
  const pieces = ["<s>", "how", " do", "?", " ", "!", "!!", "7", "né", "\uFFFD", ""];
  const special = new Set([0]);
  const rules = textRules(pieces.length, (id) => pieces[id], special);
  assertEquals(rules.alphabet, [3, 4, 5, 6]);
  const example = { ids: [0, 1, 2, 3, 8, 5], weights: [0, 0, 0, 0, 1, 1] };
  const { context, reply, space } = textCase(example, 2, rules, special);
  assertEquals([context, reply], [[0, 1, 2, 3], [8, 5]]);
  assertEquals(space.editable, [false, false, false, true]);
  const words = (ids: readonly number[]) => ids.filter((id) => !rules.editable(id)).join();
  const proposer = new Proposer({ space }, null);
  const random = new Random(1);
  for (let i = 0; i < 50; i++) {
    const { perturbation } = proposer.sample(random);
    assertEquals(words(perturbation), words(context));
    assertEquals(perturbation[0], 0);
  }
  const bare = { ids: [1, 2], weights: [1, 1] };
  assertThrows(() => textCase(bare, 1, rules, special), InputError, "needs a context");
  assertThrows(() => textRules(2, () => "word", new Set()), InputError, "another tokenizer");
});
