/** Every key of a stage's adversary decides its batches, on the nursery; on files, words stay as they are. */
import { initialWeights } from "../../../../kernels/policy/init.ts";
import { llamaConfig } from "../../../../kernels/policy/config.ts";
import { loadParameters, type Parameters } from "../../../../kernels/policy/parameters.ts";
import { InputError } from "../../../../kernels/errors.ts";
import type { InfantStage } from "../../../../workflows/config/config.ts";
import { resolveConfig } from "../../../../workflows/config/resolve.ts";
import type { Tokenizer } from "../../../../workflows/data/tokenizers/tokenizer.ts";
import { nurseryVocabulary } from "../../../../workflows/nursery/words.ts";
import {
  stagePerturbations,
  type TextContexts,
} from "../../../../workflows/safety/perturbation/stage_source.ts";
import { assert, assertEquals, assertThrows } from "../../../assert.ts";
import { testGpu } from "../../../kernels/harness.ts";

function stageOf(changes = ""): InfantStage {
  const stage = "{name: one, kind: counterfactual_imagination, data: nursery, steps: 4, " +
    `learning_rate: 1e-3, batch_size: 4${changes}}`;
  return resolveConfig({ overrides: [`stages=[${stage}]`] }).config.stages[0] as InfantStage;
}

async function tinyPolicy(): Promise<Parameters> {
  const vocabSize = nurseryVocabulary.length;
  const config = llamaConfig({ vocabSize, context: 64, layers: 1, width: 16, heads: 2 });
  return loadParameters(await testGpu(), initialWeights(config, 3), { trainable: false });
}

async function batchesOf(stage: InfantStage, text: TextContexts | null, seed = 1) {
  const policy = await tinyPolicy();
  const source = stagePerturbations(policy, stage, text, seed);
  const batches = [];
  for (let step = 0; step < 3; step++) batches.push(await source.batch(step, 0));
  source.destroy();
  policy.destroy();
  return batches;
}

Deno.test("stage source: every key of the adversary changes the batches", async () => {
  const text = async (changes?: string, seed?: number) =>
    (await batchesOf(stageOf(changes), null, seed)).map(({ tokens }) => tokens.ids.join()).join();
  const own = await text();
  assertEquals(await text(), own);
  const changes = ["adversary: blind", "k_max: 1", "candidates: 6", "inner_steps: 2"];
  for (const change of [...changes, "generator_learning_rate: 0.5"]) {
    assert(await text(`, imagination: {${change}}`) !== own, `${change} has no effect`);
  }
  assert(await text("", 2) !== own);
});

/** Token i is written as the nursery's word i; ids 0 to 5 are special. */
const TOKENIZER: Tokenizer = {
  kind: "test",
  vocabSize: nurseryVocabulary.length,
  bosId: 1,
  eosId: 2,
  padId: 0,
  chatTemplate: null,
  encode: () => [],
  decode: (ids, { skipSpecialTokens = true } = {}) =>
    ids.filter((id) => id > 5 || !skipSpecialTokens).map((id) => nurseryVocabulary[id]).join(" "),
  tokenText: (id) => nurseryVocabulary[id],
  files: () => new Map(),
};

Deno.test("stage source: contexts of files lose and gain tokens without letters only", async () => {
  const ids = [1, 4, 50, 60, nurseryVocabulary.indexOf("?"), 5, 70, 71, 2];
  const weights = ids.map((_, i) => i < 6 ? 0 : 1);
  const text = { examples: [{ ids, weights }], tokenizer: TOKENIZER };
  const stage = stageOf(", imagination: {candidates: 8, k_max: 2}");
  const words = (row: readonly number[]) =>
    row.filter((id) => id > 5 && /[a-z0-9]/.test(nurseryVocabulary[id]));
  let edited = 0;
  for (const { tokens, original, perturbed } of await batchesOf(stage, text)) {
    assert(original.length > 0);
    for (let row = 0; row < tokens.rows; row++) {
      const all = [...tokens.ids.subarray(row * 64, (row + 1) * 64)];
      for (const one of all.join().split(/(?=\b1,4,)/).filter((part) => part.startsWith("1,4"))) {
        const sequence = one.split(",").filter((id) => id !== "").map(Number);
        assertEquals(words(sequence), [50, 60, 70, 71]);
        edited += Number(sequence.filter((id) => id !== 0).length !== ids.length);
      }
    }
    assertEquals(original.length, perturbed.length);
  }
  assert(edited > 0);
  const none = { examples: [{ ids: [5, 6], weights: [1, 1] }], tokenizer: TOKENIZER };
  const policy = await tinyPolicy();
  assertThrows(
    () => stagePerturbations(policy, stage, none, 1),
    InputError,
    "no example has a prompt",
  );
  policy.destroy();
});
