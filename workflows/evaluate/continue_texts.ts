/**
 * What a policy makes of the beginning of a text, for any tokenizer.
 */
import { InputError } from "../../kernels/errors.ts";
import { Generator } from "../../kernels/policy/generate.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import { decodeContinuation, type Tokenizer } from "../data/tokenizers/tokenizer.ts";

/** How texts are continued. */
export interface ContinueOptions {
  /** Longest continuation in tokens; fewer where the context is full. */
  readonly maxNewTokens: number;
  /** 0, the default, is greedy. */
  readonly temperature?: number;
  /** Of what is drawn; default 0. */
  readonly seed?: number;
}

/**
 * Continues each of `prompts`; returns what was added, up to the end-of-sequence token.
 * @throws {InputError} when a prompt has no tokens, or leaves no room in the policy's context.
 */
export async function continueTexts(
  policy: Parameters,
  tokenizer: Tokenizer,
  prompts: readonly string[],
  { maxNewTokens, temperature = 0, seed = 0 }: ContinueOptions,
): Promise<string[]> {
  if (prompts.length === 0) return [];
  const { context, eosTokenId, padTokenId } = policy.config;
  const encoded = prompts.map((prompt) => tokenizer.encode(prompt));
  const longest = Math.max(...encoded.map(({ length }) => length));
  const empty = encoded.findIndex(({ length }) => length === 0);
  if (empty >= 0) throw new InputError(`prompt ${empty + 1} has no tokens`);
  if (longest >= context) {
    throw new InputError(
      `a prompt of ${longest} tokens leaves no room in the model's context of ${context}`,
    );
  }
  const ends = [tokenizer.eosId, eosTokenId].filter((id) => id !== null);
  const maxNew = Math.min(maxNewTokens, context - longest);
  const generator = new Generator(policy, { batch: prompts.length, maxNew });
  try {
    const settings = {
      temperature,
      seed,
      padToken: padTokenId ?? 0,
      stopTokens: [...new Set(ends)],
    };
    const replies = await generator.generate(encoded, settings);
    return replies.map(({ ids }, i) => {
      const end = ids.findIndex((id) => ends.includes(id));
      return decodeContinuation(tokenizer, encoded[i], end < 0 ? ids : ids.slice(0, end));
    });
  } finally {
    generator.destroy();
  }
}
