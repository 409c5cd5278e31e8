/**
 * Generation as a workload: with the key/value cache, without it, and with a model file.
 */
import type { Gpu } from "../../../kernels/gpu/device.ts";
import type { PolicyWeights } from "../../../kernels/policy/config.ts";
import { Generator, type Reply } from "../../../kernels/policy/generate.ts";
import { initialWeights, normalValues } from "../../../kernels/policy/init.ts";
import { loadParameters } from "../../../kernels/policy/parameters.ts";
import { loadModel } from "../../model_files/load_model.ts";
import { type GenerateTask, INITIAL, type StoriesTask, type Workload } from "../contest.ts";

/** Timed tokens are drawn; answers are the most likely tokens, which any way to compute them agrees on. */
const DRAWN = { temperature: 1, seed: INITIAL.seed, padToken: 0 } as const;
const LIKELIEST = { ...DRAWN, temperature: 0 } as const;

type Settings = typeof DRAWN | typeof LIKELIEST;
type Generate = (prompts: readonly number[][], settings: Settings) => Promise<Reply[]>;

/** Replies of a policy with random weights. */
export function openGenerate(gpu: Gpu, task: GenerateTask): Workload {
  const { config, batch, promptLength, maxNew, cache } = task;
  const { generate, close } = generator(
    gpu,
    initialWeights(config, INITIAL.seed, INITIAL.std),
    { batch, promptLength, maxNew, cache },
  );
  const ids = normalValues(batch * promptLength, 1, INITIAL.seed, 2)
    .map((x) => Math.floor(Math.abs(x) * 1e4) % config.vocabSize);
  const prompts = Array.from(
    { length: batch },
    (_, row) => [...ids.subarray(row * promptLength, (row + 1) * promptLength)],
  );
  return {
    check: async () => (await generate(prompts, LIKELIEST)).flatMap(({ logProbs }) => logProbs),
    async run(count) {
      for (let i = 0; i < count; i++) await generate(prompts, DRAWN);
    },
    close,
  };
}

function generator(
  gpu: Gpu,
  weights: PolicyWeights,
  { batch, promptLength, maxNew, cache }: Omit<GenerateTask, "kind" | "config">,
): { readonly generate: Generate; close(): void } {
  const parameters = loadParameters(gpu, weights, { trainable: false });
  const capacity = promptLength + maxNew;
  const sizes = { batch, maxNew: cache ? maxNew : 1, capacity };
  const generator = new Generator(parameters, sizes);
  const once: Generate = (prompts, settings) => generator.generate(prompts, settings);
  return {
    generate: cache ? once : (prompts, settings) => anew(once, prompts, settings, maxNew),
    close() {
      generator.destroy();
      parameters.destroy();
    },
  };
}

/** Each token from a pass over all earlier ones; it must be known before the next pass, so each is read back. */
async function anew(
  once: Generate,
  prompts: readonly number[][],
  settings: Settings,
  maxNew: number,
): Promise<Reply[]> {
  const replies = prompts.map((): Reply => ({ ids: [], logProbs: [] }));
  for (let i = 0; i < maxNew; i++) {
    const whole = prompts.map((prompt, row) => [...prompt, ...replies[row].ids]);
    const next = await once(whole, settings);
    next.forEach(({ ids, logProbs }, row) => {
      replies[row].ids.push(...ids);
      replies[row].logProbs.push(...logProbs);
    });
  }
  return replies;
}

/** Stories of a llama2.c model, each begun by the token that begins a text. The answer is the likeliest story, as code points. */
export async function openStories(gpu: Gpu, task: StoriesTask): Promise<Workload> {
  const { replies, maxNew, cache } = task;
  const { weights, tokenizer } = await loadModel(task.model, { tokenizer: task.tokenizer });
  const bos = weights.config.bosTokenId ?? 1;
  const prompts = Array.from({ length: replies }, () => [bos]);
  const sizes = { batch: replies, promptLength: 1, maxNew, cache };
  const { generate, close } = generator(gpu, weights, sizes);
  return {
    async check() {
      const [{ ids }] = await generate(prompts, LIKELIEST);
      const text = tokenizer!.decode(ids).trim();
      return Array.from(text, (character) => character.codePointAt(0)!);
    },
    async run(count) {
      for (let i = 0; i < count; i++) await generate(prompts, DRAWN);
    },
    close,
  };
}
