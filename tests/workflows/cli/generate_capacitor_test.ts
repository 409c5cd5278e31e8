/**
 * The command generate behind a value capacitor.
 */
import { join } from "node:path";
import { llamaConfig } from "../../../kernels/policy/config.ts";
import { initialWeights } from "../../../kernels/policy/init.ts";
import { generateCommand } from "../../../workflows/cli/generate.ts";
import { saveModel } from "../../../workflows/model_files/save_model.ts";
import { saveWorldModel } from "../../../workflows/safety/world_model/files.ts";
import { untrainedWorldModel } from "../../../workflows/safety/world_model/model.ts";
import { nurseryTokenizer } from "../../../workflows/train/policy_source.ts";
import { assert, assertEquals } from "../../assert.ts";
import { cardOf } from "../safety/world_model/worlds.ts";
import { runJson } from "./run.ts";

Deno.test("generate --capacitor: a flagged reply is replaced by the nearest safe one, another one is not", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const tokenizer = await nurseryTokenizer();
    const { vocabSize, bosId: bosTokenId, eosId: eosTokenId } = tokenizer;
    const sizes = llamaConfig({ vocabSize, context: 16, layers: 1, width: 16, heads: 2 });
    const policy = initialWeights({ ...sizes, bosTokenId, eosTokenId }, 7, 0.5);
    const model = join(folder, "model");
    await saveModel(model, policy, { tokenizer });
    const words = ["no .", "i can not know that"];
    const safe = words.map((text) => ({
      text,
      ids: tokenizer.encode(text, { addSpecialTokens: false }),
    }));
    const ask = async (...more: string[]) => {
      const options = ["--prompt", "hello .", "--greedy", "--max-new-tokens", "3"];
      const ended = await runJson(generateCommand(), "--model", model, ...options, ...more);
      assertEquals(ended.code, 0, ended.stderr);
      return ended;
    };
    const bare = (await ask()).json.ids;
    assertEquals(bare.length, 3);
    // An untrained world model says about 1/2 to everything, so the threshold decides.
    for (const [threshold, replaced] of [[0.01, true], [0.99, false]] as const) {
      const capacitor = join(folder, `capacitor-${threshold}`);
      const weights = untrainedWorldModel(policy, 1);
      await saveWorldModel(capacitor, { weights, card: cardOf(threshold, safe), tokenizer });
      const { json, stderr } = await ask("--capacitor", capacitor);
      // Three foreign words lie nearer to two than to five.
      assertEquals(json.ids, replaced ? safe[0].ids : bare);
      assert(stderr.includes(replaced ? "replaced" : "passes"), stderr);
    }
    const { code, stderr } = await runJson(
      generateCommand(),
      ...["--model", model, "--prompt", "hello .", "--capacitor", model],
    );
    assertEquals(code, 2);
    assert(stderr.includes("has no world_model.json"), stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
