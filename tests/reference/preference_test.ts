/**
 * The float64 preference losses against PyTorch's numbers.
 */
import { PREFERENCE_LOSSES } from "../../kernels/losses/preference.ts";
import { readSafetensors } from "../../workflows/model_files/safetensors.ts";
import { assert } from "../assert.ts";
import { sharedTest } from "../shared.ts";
import { relativeError } from "./numbers.ts";
import { preferenceLoss } from "./preference.ts";

sharedTest("preference losses are PyTorch's", ["golden", "dpo"], async (folder) => {
  const tensors = await readSafetensors(`${folder}/expected.safetensors`);
  const values = (name: string) => tensors.get(name)!.data as Float32Array;
  const { chosen, rejected } = JSON.parse(await Deno.readTextFile(`${folder}/inputs.json`));
  const scored = (labels: number[][], p: number) =>
    labels[p].slice(1).filter((x) => x !== -100).length;
  for (const beta of [0.1, 0.5]) {
    for (const loss of PREFERENCE_LOSSES.filter((name) => name !== "robust")) {
      const want = values(`beta_${`${beta}`.replace(".", "_")}.loss_${loss}`);
      const got = want.map((_, p) =>
        preferenceLoss(
          {
            policy: [values("policy_chosen_logps")[p], values("policy_rejected_logps")[p]],
            reference: [values("ref_chosen_logps")[p], values("ref_rejected_logps")[p]],
            lengths: [scored(chosen.labels, p), scored(rejected.labels, p)],
          },
          loss,
          beta,
          0.1,
        )
      );
      const error = relativeError(got, want);
      assert(error < 1e-5, `${loss} at ${beta}: ${error}`);
    }
  }
});
