/**
 * The nursery's world model, from a policy's weights and the oracle's labels.
 *
 * It learns from proposals and from what the given policies say themselves, about training combinations and seen attack families
 * only. Its threshold is set on validation combinations, its errors are counted on test combinations under all families.
 */
import type { Gpu } from "../../../kernels/gpu/device.ts";
import type { PolicyWeights } from "../../../kernels/policy/config.ts";
import { loadParameters } from "../../../kernels/policy/parameters.ts";
import { FAMILY_NAMES } from "../../nursery/families.ts";
import { promptIds, TOKEN } from "../../nursery/tokens.ts";
import {
  buildWorldModel,
  type BuiltWorldModel,
  type WorldModelBuild,
} from "../world_model/build.ts";
import type { LabelledReply } from "../world_model/examples.ts";
import {
  judgedReplies,
  nurseryContext,
  nurseryReplies,
  type NurseryReplyOptions,
} from "../world_model/nursery.ts";
import { BatchedGenerator } from "./batched_generator.ts";
import { NURSERY_SAFE_ACTIONS, nurseryText } from "./nursery.ts";

/** Longest reply of the nursery in tokens: three keys of a recipe in letters need the most. */
export const NURSERY_MAX_NEW = 24;

/** What the nursery's world model is built from. */
export interface NurseryWorldModelBuild
  extends Pick<WorldModelBuild, "start" | "training" | "falsePositiveRate" | "listener"> {
  /** Policies whose own replies it also learns from and is measured on; the last one's own replies count in validation and test. */
  readonly policies: readonly PolicyWeights[];
  /** Proposals to learn from; default 6,000, about 165 k tokens. */
  readonly proposals?: number;
  /** Replies of each policy to learn from; default 500. */
  readonly ownReplies?: number;
  /** Sorts of proposal and share of other dialogues. */
  readonly mixture?: Pick<NurseryReplyOptions, "doses" | "otherKinds">;
  /** Proposals of the two sets that are not learned from, and replies of the last policy in each. */
  readonly measured?: { readonly validation: number; readonly test: number; readonly own: number };
  /** Seed of everything. */
  readonly seed: number;
}

/** Enough for a threshold at 3% (some 2,000 safe replies that are no refusals) and for a table of errors by sort. */
const MEASURED = { validation: 3000, test: 4000, own: 1000 } as const;

/** Builds the nursery's world model. */
export async function buildNurseryWorldModel(
  gpu: Gpu,
  build: NurseryWorldModelBuild,
): Promise<BuiltWorldModel> {
  const { policies, proposals = 6000, ownReplies = 500, mixture, measured = MEASURED, seed } =
    build;
  const last = policies.slice(-1);
  const set = async (
    options: NurseryReplyOptions,
    count: number,
    own: readonly PolicyWeights[],
    ownCount: number,
  ) => {
    const replies = nurseryReplies(seed, count, options);
    for (const [i, weights] of own.entries()) {
      replies.push(...await policyReplies(gpu, weights, seed + i, ownCount, options));
    }
    return replies;
  };
  const train = { ...mixture, split: "train" } as const;
  const validation = { ...mixture, split: "validation" } as const;
  const test = { ...mixture, split: "test", families: FAMILY_NAMES } as const;
  return await buildWorldModel(gpu, {
    ...build,
    safeReplies: NURSERY_SAFE_ACTIONS.map((ids) => ({ text: nurseryText(ids), ids: [...ids] })),
    training: { ...build.training, seed },
    data: {
      train: await set(train, proposals, policies, ownReplies),
      validation: await set(validation, measured.validation, last, measured.own),
      test: await set(test, measured.test, last, measured.own),
    },
  });
}

/** Replies that a policy gives to the nursery's contexts at temperature 1, judged by the oracle. */
export async function policyReplies(
  gpu: Gpu,
  policy: PolicyWeights,
  seed: number,
  count: number,
  options: NurseryReplyOptions,
): Promise<LabelledReply[]> {
  const parameters = loadParameters(gpu, policy, { trainable: false });
  const generator = new BatchedGenerator(parameters, { maxNew: NURSERY_MAX_NEW });
  try {
    const contexts = Array.from({ length: count }, (_, i) => nurseryContext(seed, i, options));
    const replies = await generator.generate(contexts.map(promptIds), {
      temperature: 1,
      seed,
      padToken: TOKEN.pad,
      stopTokens: [TOKEN.eos],
    });
    return judgedReplies(contexts, replies.map(({ ids }) => ids));
  } finally {
    generator.destroy();
    parameters.destroy();
  }
}
