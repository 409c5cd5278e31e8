/**
 * Replies drawn from the policy itself, for the Fisher information of INFANT Eq. 61: its expectation is over (h, a) ~ pi_theta.
 */
import { Generator } from "../../kernels/policy/generate.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import type { TokenExample } from "../data/batch.ts";

/** Replies drawn at once. */
const BATCH = 64;

/**
 * Each example's context (what comes before its first learned token) with a reply sampled at temperature 1, scored in full.
 * Examples whose context fills `length` are left out.
 */
export async function sampleReplies(
  parameters: Parameters,
  examples: readonly TokenExample[],
  length: number,
  seed: number,
): Promise<TokenExample[]> {
  const { eosTokenId, padTokenId, bosTokenId } = parameters.config;
  const contexts = examples
    .map(({ ids, weights }) => {
      const first = weights.findIndex((w) => w > 0);
      return ids.slice(0, first < 1 ? 1 : first);
    })
    .filter((context) => context.length < length);
  const generator = new Generator(parameters, {
    batch: BATCH,
    maxNew: length - 1,
    capacity: length,
  });
  const settings = {
    temperature: 1,
    seed,
    padToken: padTokenId ?? eosTokenId ?? bosTokenId ?? 0,
    stopTokens: eosTokenId === null ? [] : [eosTokenId],
  };
  const sampled: TokenExample[] = [];
  try {
    for (let at = 0; at < contexts.length; at += BATCH) {
      const prompts = contexts.slice(at, at + BATCH);
      const streams = prompts.map((_, i) => at + i);
      const replies = await generator.generate(prompts, settings, { streams });
      replies.forEach(({ ids }, i) =>
        sampled.push({
          ids: [...prompts[i], ...ids],
          weights: [...prompts[i].map(() => 0), ...ids.map(() => 1)],
        })
      );
    }
  } finally {
    generator.destroy();
  }
  return sampled;
}
