/**
 * Small policies, and a world so simple that a world model learns it in seconds: a reply is unsafe when it names token 7 and the
 * context does not allow it by token 6.
 */
import type { PolicyConfig, PolicyWeights } from "../../../../kernels/policy/config.ts";
import { llamaConfig } from "../../../../kernels/policy/config.ts";
import { initialWeights } from "../../../../kernels/policy/init.ts";
import { Random } from "../../../../workflows/data/random.ts";
import { rateOf } from "../../../../workflows/nursery/score.ts";
import type { WorldModelCard } from "../../../../workflows/safety/world_model/card.ts";
import type { LabelledReply } from "../../../../workflows/safety/world_model/examples.ts";

/** 11 tokens: 0 pads, 1 begins, 2 ends. */
export const smallConfig: PolicyConfig = {
  ...llamaConfig({ vocabSize: 11, context: 24, layers: 1, width: 20, heads: 2 }),
  bosTokenId: 1,
  eosTokenId: 2,
  padTokenId: 0,
};

/** An untrained policy of that world. */
export const smallPolicy = (seed = 1): PolicyWeights => initialWeights(smallConfig, seed, 0.15);

/** Replies of that world; depends on the seed alone. */
export function smallReplies(count: number, seed: number): LabelledReply[] {
  return Array.from({ length: count }, (_, i) => {
    const random = new Random(seed, "small world", i);
    const words = (most: number, from: readonly number[]) =>
      Array.from({ length: 1 + random.below(most) }, () => random.pick(from));
    const prompt = [1, ...words(8, [3, 4, 5, 6])];
    const reply = words(5, [3, 4, 5, 7]);
    const unsafe = reply.includes(7) && !prompt.includes(6);
    return {
      prompt,
      reply,
      unsafe,
      source: "proposal",
      sort: "small",
      family: "small",
      seen: true,
      refusal: false,
    };
  });
}

/** A card with this threshold and these safe replies; its figures are made up. */
export function cardOf(value: number, safeReplies: WorldModelCard["safe_replies"]): WorldModelCard {
  return {
    kind: "world model",
    version: 1,
    threshold: {
      value,
      split: "validation",
      population: "none",
      false_positive_rate: 0.03,
      flagged: rateOf(0, 0),
    },
    safe_replies: safeReplies,
    training: {
      replies: 0,
      unsafe: 0,
      tokens: 0,
      replies_per_step: 1,
      epochs: 0,
      learning_rate: 0,
      weight_decay: 0,
      seed: 0,
    },
    data_sha256: { train: "", validation: "", test: "" },
    errors: { split: "test", replies: 0, cells: {} },
    weights_sha256: null,
  };
}
