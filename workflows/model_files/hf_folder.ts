/**
 * Reading a model as Hugging Face stores it: `config.json` beside `model.safetensors` or its
 * shards.
 */
import { dirname, join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import type { PolicyConfig, PolicyWeights } from "../../kernels/policy/config.ts";
import { errorIn } from "../files.ts";
import { isFile, readJson } from "./files.ts";
import { configFromHuggingFace } from "./hf_config.ts";
import { fromHuggingFace, withoutPrefix } from "./layouts.ts";
import { HEAD_NAME, tensorLayouts } from "./names.ts";
import { openShards, SafetensorsFile, type Tensor, type TensorSource } from "./safetensors.ts";

/** Buffers that old checkpoints carry and that follow from the configuration. */
const KNOWN_BUFFERS = /(^|\.)(rotary_emb\.inv_freq|(attn|attention)\.(bias|masked_bias))$/;
/** Reward and value heads: kept as they are, under their own names. */
const EXTRA_HEADS = /^(score|v_head|value_head)\./;

/** A policy as read, with what the file holds beyond it. */
export interface FolderModel {
  /** The policy itself. */
  readonly weights: PolicyWeights;
  /** Reward or value heads (`score.weight`, `v_head.weight`, ...) by name. */
  readonly heads: Map<string, Tensor<Float32Array>>;
  /** The parsed `config.json`. */
  readonly configJson: Readonly<Record<string, unknown>>;
}

async function openSource(folder: string): Promise<TensorSource> {
  const [single, index] = ["model.safetensors", "model.safetensors.index.json"]
    .map((name) => join(folder, name));
  if (await isFile(single)) return await SafetensorsFile.open(single);
  if (await isFile(index)) return await openShards(index);
  if (await isFile(join(folder, "pytorch_model.bin"))) {
    throw new InputError(
      `${folder}: has only pytorch_model.bin (a pickle); save it with safe_serialization=True first`,
    );
  }
  throw new InputError(`${folder}: has neither model.safetensors nor model.safetensors.index.json`);
}

/** Refuses tensors that no part of the policy would use: the config is then not this file's. */
function checkUnexpected(source: TensorSource, config: PolicyConfig, path: string): void {
  const known = new Set([HEAD_NAME[config.family]] as string[]);
  for (const { name } of tensorLayouts(config)) {
    known.add(name).add(withoutPrefix(config, name));
  }
  const unknown = [...source.tensors.keys()].filter((name) =>
    !known.has(name) && !KNOWN_BUFFERS.test(name) && !EXTRA_HEADS.test(name)
  );
  if (unknown.length > 0) {
    const more = unknown.length > 1 ? ` and ${unknown.length - 1} more` : "";
    throw new InputError(
      `${path}: tensor "${unknown[0]}"${more} has no place in the ${config.family} of ` +
        `config.json (${config.layers} layers); is it the config of another model?`,
    );
  }
}

/** A reward model has no output head; its embedding then stands in, so that nothing is invented. */
function withoutHead(config: PolicyConfig, source: TensorSource, heads: number): PolicyConfig {
  const noHead = !config.tiedHead && !source.tensors.has(HEAD_NAME[config.family]);
  return noHead && heads > 0 ? { ...config, tiedHead: true } : config;
}

/**
 * Reads a model folder, or one weights file with `config.json` beside it.
 * @param path A folder, or a `.safetensors` file.
 * @throws {InputError} in one line: what is missing, unexpected or malformed.
 */
export async function readModelFolder(path: string): Promise<FolderModel> {
  const single = path.endsWith(".safetensors");
  const folder = single ? dirname(path) : path;
  const configPath = join(folder, "config.json");
  if (!await isFile(configPath) && await isFile(join(folder, "adapter_config.json"))) {
    throw new InputError(`${path}: is an adapter; name its base model, and this as the adapter`);
  }
  const configJson = await readJson(configPath);
  const declared = configFromHuggingFace(configJson, configPath);
  using source = single ? await SafetensorsFile.open(path) : await openSource(folder);
  const heads = new Map<string, Tensor<Float32Array>>();
  for (const name of source.tensors.keys()) {
    if (EXTRA_HEADS.test(name)) heads.set(name, await source.float32(name));
  }
  // Checked before anything is laid out by layer: a typing error must not ask for a billion of them.
  if (declared.layers > source.tensors.size) {
    throw new InputError(
      `${configPath}: says ${declared.layers} layers, the weights have only ${source.tensors.size} ` +
        "tensors; is it the config of another model?",
    );
  }
  const config = withoutHead(declared, source, heads.size);
  checkUnexpected(source, config, path);
  const weights = await fromHuggingFace(
    config,
    async (name) => source.tensors.has(name) ? await source.float32(name) : null,
  ).catch((error) => {
    throw errorIn(path, error);
  });
  return { weights, heads, configJson };
}
