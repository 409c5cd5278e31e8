/**
 * Loading a model from whatever holds it.
 */
import { dirname, join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import { ggufTokenizer } from "../data/tokenizers/gguf.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import type { HubAccess } from "../hub.ts";
import { errorIn } from "../files.ts";
import { isFile, readJson } from "./files.ts";
import { readGguf } from "./gguf.ts";
import { localModel } from "./hub.ts";
import { readModelFolder } from "./hf_folder.ts";
import { readLlama2c } from "./llama2c.ts";
import { folderTokenizer, loadTokenizer } from "./load_tokenizer.ts";
import type { Tensor } from "./safetensors.ts";

/** `generation_config.json`, as parsed; empty when there is none. */
export type GenerationConfig = Readonly<Record<string, unknown>>;

/** A model in memory. */
export interface LoadedModel {
  /** The policy itself. */
  readonly weights: PolicyWeights;
  /** null when nothing beside the weights describes one. */
  readonly tokenizer: Tokenizer | null;
  /** Generation ends at any of these. */
  readonly eosTokenIds: readonly number[];
  /** Sampling settings that came with the model. */
  readonly generation: GenerationConfig;
  /** Reward or value heads by the name they have in the file (`score.weight`, `v_head.weight`). */
  readonly heads: ReadonlyMap<string, Tensor<Float32Array>>;
}

/** Options of {@linkcode loadModel}. */
export interface LoadOptions {
  /** Where the tokenizer is, when it is not beside the weights: a path or `hub:OWNER/NAME`. */
  readonly tokenizer?: string;
  /** How to reach the hub. */
  readonly hub?: HubAccess;
}

/** Every end-of-text id that any of the files names. */
function endIds(...values: unknown[]): number[] {
  const ids = values.flat().filter((id) => Number.isSafeInteger(id) && (id as number) >= 0);
  return [...new Set(ids as number[])];
}

/** A text that the policy has no row for would read outside the embedding. */
function checkVocabulary(model: LoadedModel, path: string): LoadedModel {
  const { tokenizer, weights } = model;
  if (tokenizer && tokenizer.vocabSize > weights.config.vocabSize) {
    throw new InputError(
      `${path}: the tokenizer has ${tokenizer.vocabSize} tokens, the model only ` +
        `${weights.config.vocabSize}; they do not belong together`,
    );
  }
  return model;
}

async function loadFolder(path: string, tokenizerPath?: string): Promise<LoadedModel> {
  const { weights, heads, configJson } = await readModelFolder(path);
  const folder = path.endsWith(".safetensors") ? dirname(path) : path;
  const generationPath = join(folder, "generation_config.json");
  const generation = await isFile(generationPath) ? await readJson(generationPath) : {};
  const tokenizer = tokenizerPath
    ? await loadTokenizer(tokenizerPath)
    : await folderTokenizer(folder, weights.config);
  const eosTokenIds = endIds(generation.eos_token_id, configJson.eos_token_id);
  return { weights, tokenizer, eosTokenIds, generation, heads };
}

async function loadFile(path: string, tokenizerPath?: string): Promise<LoadedModel> {
  const given = tokenizerPath ? await loadTokenizer(tokenizerPath) : null;
  const more = { generation: {}, heads: new Map() };
  if (path.endsWith(".gguf")) {
    const { weights, header } = await readGguf(path);
    const tokenizer = given ?? await ggufTokenizer(header.metadata).catch((error) => {
      throw errorIn(path, error);
    });
    return { weights, tokenizer, eosTokenIds: endIds(weights.config.eosTokenId), ...more };
  }
  const weights = await readLlama2c(path);
  return { weights, tokenizer: given, eosTokenIds: endIds(weights.config.eosTokenId), ...more };
}

/**
 * Loads a model: a Hugging Face folder, a `.safetensors` file with `config.json` beside it, a
 * `.gguf` file with float weights, a llama2.c `.bin`, or any of them on the hub (`hub:OWNER/NAME[@REVISION][:PATH]`).
 * @throws {InputError} in one line: what is missing, malformed or not supported.
 */
export async function loadModel(name: string, options: LoadOptions = {}): Promise<LoadedModel> {
  const path = await localModel(name, options.hub);
  const tokenizer = options.tokenizer && await localModel(options.tokenizer, options.hub);
  const info = await Deno.stat(path).catch(() => null);
  if (!info) throw new InputError(`${path}: no such model file or folder`);
  if (info.isDirectory || path.endsWith(".safetensors")) {
    return checkVocabulary(await loadFolder(path, tokenizer), path);
  }
  if (path.endsWith(".gguf") || path.endsWith(".bin")) {
    return checkVocabulary(await loadFile(path, tokenizer), path);
  }
  throw new InputError(
    `${path}: a model is a Hugging Face folder, or a .safetensors, .gguf or llama2.c .bin file`,
  );
}
