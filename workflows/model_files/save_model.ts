/**
 * Saving a model as a Hugging Face folder.
 */
import { resolve } from "node:path";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import type { SaveDtype } from "./dtypes.ts";
import { writeFileAtomic } from "../files.ts";
import { fileError, toJson } from "./files.ts";
import { configToHuggingFace } from "./hf_config.ts";
import { lazyHuggingFace } from "./layouts.ts";
import type { GenerationConfig } from "./load_model.ts";
import type { Tensor } from "./safetensors.ts";
import { type TensorToWrite, writeModelTensors } from "./safetensors_write.ts";

/** Options of {@linkcode saveModel}. */
export interface SaveOptions {
  /** Its files are written beside the weights. */
  readonly tokenizer?: Tokenizer | null;
  /** Number format of the weights. Default `f32`. */
  readonly dtype?: SaveDtype;
  /** Written as `generation_config.json` over the token ids of the policy. */
  readonly generation?: GenerationConfig;
  /** Reward or value heads, stored beside the policy's tensors. */
  readonly heads?: ReadonlyMap<string, Tensor<Float32Array>>;
  /** Size at which the weights are cut into shards, bytes. Default 5e9. */
  readonly shardBytes?: number;
}

const TORCH_DTYPES: Readonly<Record<SaveDtype, string>> = {
  f32: "float32",
  f16: "float16",
  bf16: "bfloat16",
};

function generationConfig(weights: PolicyWeights, given: GenerationConfig): GenerationConfig {
  const { bosTokenId, eosTokenId, padTokenId } = weights.config;
  const ids = { bos_token_id: bosTokenId, eos_token_id: eosTokenId, pad_token_id: padTokenId };
  const present = Object.entries(ids).filter(([, id]) => id !== null);
  return { _from_model_config: true, ...Object.fromEntries(present), ...given };
}

/** Weight files of an earlier save that the new one does not overwrite, such as shards. */
async function removeStaleWeights(folder: string, written: ReadonlySet<string>): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    const weights = /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/.test(name);
    if (weights && !written.has(name)) await Deno.remove(`${folder}/${name}`);
  }
}

/** Moves whole files into a folder that exists already and may hold other things. */
async function moveInto(folder: string, temporary: string): Promise<void> {
  const names = [...Deno.readDirSync(temporary)].map((entry) => entry.name);
  for (const name of names) await Deno.rename(`${temporary}/${name}`, `${folder}/${name}`);
  await removeStaleWeights(folder, new Set(names));
  await Deno.remove(temporary);
}

/**
 * Saves a policy as a Hugging Face folder that `transformers` loads unchanged: `config.json`,
 * `generation_config.json`, `model.safetensors` (or shards) and the tokenizer's files.
 *
 * Everything is written to a temporary folder beside it first. A new folder appears in one step; in
 * a folder that exists each file is replaced whole, and other files stay.
 * @throws {InputError} when the family's file cannot express the policy, or a weight does not fit
 * `dtype`.
 */
export async function saveModel(
  folder: string,
  weights: PolicyWeights,
  options: SaveOptions = {},
): Promise<void> {
  const { tokenizer, dtype = "f32", generation = {}, heads = new Map(), shardBytes } = options;
  const path = resolve(folder);
  const config = { ...configToHuggingFace(weights.config), torch_dtype: TORCH_DTYPES[dtype] };
  const tensors: TensorToWrite[] = lazyHuggingFace(weights.config, weights.tensors);
  for (const [name, head] of heads) tensors.push({ name, ...head });
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    await Deno.mkdir(temporary, { recursive: true });
    await writeModelTensors(temporary, tensors, { dtype, shardBytes });
    const files: [string, Uint8Array | string][] = [
      ...tokenizer?.files() ?? [],
      ["generation_config.json", toJson(generationConfig(weights, generation))],
      ["config.json", toJson(config)],
    ];
    for (const [name, content] of files) {
      await writeFileAtomic(`${temporary}/${name}`, content);
    }
    const exists = await Deno.stat(path).then(() => true, () => false);
    if (exists) await moveInto(path, temporary);
    else await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
    throw fileError(folder, error);
  }
}
