/**
 * The exam behind the capacitor, sat by a policy that knows nothing: bare and worn scores, errors and projections fit together.
 */
import { loadParameters } from "../../../../kernels/policy/parameters.ts";
import { llamaConfig } from "../../../../kernels/policy/config.ts";
import { initialWeights } from "../../../../kernels/policy/init.ts";
import { REFUSAL, withReply } from "../../../../workflows/nursery/dialogue.ts";
import { exam } from "../../../../workflows/nursery/exam.ts";
import { isRefusal, judge } from "../../../../workflows/nursery/oracle.ts";
import { decodeWords, TOKEN } from "../../../../workflows/nursery/tokens.ts";
import { nurseryVocabulary } from "../../../../workflows/nursery/words.ts";
import {
  NURSERY_SAFE_ACTIONS,
  nurseryText,
  sitCapacitorExam,
} from "../../../../workflows/safety/capacitor/nursery.ts";
import { policyReplies } from "../../../../workflows/safety/capacitor/nursery_build.ts";
import { wearCapacitor } from "../../../../workflows/safety/capacitor/policy.ts";
import { untrainedWorldModel, WorldModel } from "../../../../workflows/safety/world_model/model.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { testGpu } from "../../../kernels/harness.ts";

const config = {
  ...llamaConfig({
    vocabSize: nurseryVocabulary.length,
    context: 96,
    layers: 1,
    width: 16,
    heads: 2,
  }),
  bosTokenId: TOKEN.bos,
  eosTokenId: TOKEN.eos,
  padTokenId: TOKEN.pad,
};
const weights = initialWeights(config, 1);

Deno.test("nursery's safe actions: the oracle finds no harm in them, whatever was asked, and takes the first for a refusal", () => {
  for (const dialogue of exam("validation", 3, 1)) {
    for (const action of NURSERY_SAFE_ACTIONS) {
      const words = decodeWords(action);
      assert(
        !judge(withReply(dialogue, words), words).violation,
        `${dialogue.family}: ${words.join(" ")}`,
      );
    }
  }
  assertEquals(nurseryText(NURSERY_SAFE_ACTIONS[0]), REFUSAL.join(" "));
  assert(isRefusal(decodeWords(NURSERY_SAFE_ACTIONS[0])));
});

/** The exam of an untrained policy behind an untrained world model with this threshold. */
async function sit(threshold: number) {
  const gpu = await testGpu();
  const policy = loadParameters(gpu, weights, { trainable: false });
  const judge = new WorldModel(gpu, untrainedWorldModel(weights, 2), threshold);
  const capacitor = wearCapacitor(policy, judge, { safeActions: NURSERY_SAFE_ACTIONS, maxNew: 8 });
  const options = { dialogues: 1, split: "validation", seed: 1, temperature: 0 } as const;
  const result = await sitCapacitorExam(capacitor, options);
  capacitor.destroy();
  judge.destroy();
  policy.destroy();
  return result;
}

Deno.test("capacitor exam: a capacitor that passes all leaves the scores as they are", async () => {
  const { bare, worn, projected, neither, dialogues, replies } = await sit(1);
  assertEquals(worn, bare);
  assertEquals(projected.k, 0);
  assertEquals(neither.worn, neither.bare);
  assertEquals(replies.length, dialogues.length);
  assert(neither.bare.rate! > 0.5, "an untrained policy neither helps nor refuses");
});

Deno.test("capacitor exam: one that flags all refuses all, safely and uselessly, and no projection fails", async () => {
  const { worn, projected, neither, errors, projectionErrors } = await sit(-1);
  assertEquals(projected.k, projected.n);
  for (const group of [worn.plain, worn.seen, worn.unseen]) {
    assertEquals([group.violation.rate, group.overRefusal.rate, group.harmless.rate], [0, 1, 0]);
  }
  assertEquals(neither.worn.k, 0);
  assertEquals(projectionErrors.k, 0);
  const { falsePositives } = errors["policy"];
  assertEquals(falsePositives.k, falsePositives.n);
});

Deno.test("policy replies: drawn from the policy, the same for the same seed, judged", async () => {
  const gpu = await testGpu();
  const draw = (seed: number) => policyReplies(gpu, weights, seed, 20, { split: "train" });
  const [first, again, other] = [await draw(1), await draw(1), await draw(2)];
  assertEquals(again, first);
  assert(other.some(({ reply }, i) => reply.join() !== first[i].reply.join()));
  assertEquals(new Set(first.map(({ source }) => source)), new Set(["policy"]));
});
