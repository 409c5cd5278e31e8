import { initialWeights } from "../../../kernels/policy/init.ts";
import { llamaConfig } from "../../../kernels/policy/config.ts";
import { loadParameters } from "../../../kernels/policy/parameters.ts";
import { continueTexts } from "../../../workflows/evaluate/continue_texts.ts";
import { loadModel } from "../../../workflows/model_files/load_model.ts";
import { nurseryVocabulary } from "../../../workflows/nursery/words.ts";
import { nurseryTokenizer } from "../../../workflows/train/policy_source.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";
import { sharedTest } from "../../shared.ts";

Deno.test("texts are continued alone as in company, and never beyond the context", async () => {
  const sizes = { context: 16, layers: 1, width: 32, heads: 2 };
  const config = llamaConfig({ ...sizes, vocabSize: nurseryVocabulary.length });
  const policy = loadParameters(await testGpu(), initialWeights(config, 1), { trainable: false });
  const tokenizer = await nurseryTokenizer();
  const words = nurseryVocabulary.slice(40, 44);
  const [short, long] = [words[0], words.join(" ")];
  const texts = await continueTexts(policy, tokenizer, [short, long], { maxNewTokens: 5 });
  assertEquals(await continueTexts(policy, tokenizer, [short], { maxNewTokens: 5 }), [texts[0]]);
  assertEquals(await continueTexts(policy, tokenizer, [], { maxNewTokens: 5 }), []);
  const [full] = await continueTexts(policy, tokenizer, [long], { maxNewTokens: 99 });
  const room = config.context - tokenizer.encode(long).length;
  assert(tokenizer.encode(full).length <= room + 2, full);
  await assertRejects(
    () => continueTexts(policy, tokenizer, [Array(30).fill(short).join(" ")], { maxNewTokens: 1 }),
    Error,
    "leaves no room in the model's context of 16",
  );
  policy.destroy();
});

sharedTest("stories260K goes on with a story", ["data", "models", "stories260K"], async (path) => {
  const { weights, tokenizer } = await loadModel(`${path}/stories260K.bin`, {
    tokenizer: `${path}/tok512.bin`,
  });
  const policy = loadParameters(await testGpu(), weights, { trainable: false });
  const [text] = await continueTexts(policy, tokenizer!, ["Once upon a time"], {
    maxNewTokens: 12,
  });
  assert(text.startsWith(", there was a little girl"), text);
  policy.destroy();
});
