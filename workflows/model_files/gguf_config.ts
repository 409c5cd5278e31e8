/**
 * The configuration in a GGUF file's metadata.
 */
import { InputError } from "../../kernels/errors.ts";
import type { Family, PolicyConfig } from "../../kernels/policy/config.ts";
import type { GgufHeader } from "./gguf_header.ts";

const FAMILIES: Readonly<Record<string, Family>> = {
  gpt2: "gpt2",
  llama: "llama",
  qwen2: "qwen2",
  gptneox: "gpt_neox",
};

/** Numbers of one architecture's keys, e.g. `llama.block_count`. */
class Keys {
  readonly #metadata: Readonly<Record<string, unknown>>;
  readonly #arch: string;
  readonly #path: string;

  constructor(metadata: Readonly<Record<string, unknown>>, arch: string, path: string) {
    this.#metadata = metadata;
    this.#arch = arch;
    this.#path = path;
  }

  get(key: string): unknown {
    return this.#metadata[`${this.#arch}.${key}`];
  }

  number(key: string, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number === "number" && Number.isFinite(number)) return number;
    const found = JSON.stringify(this.get(key)) ?? "nothing";
    throw new InputError(`${this.#path}: ${this.#arch}.${key} must be a number, found ${found}`);
  }
}

function refuseUnsupported(keys: Keys, header: GgufHeader, path: string): void {
  const scaling = keys.get("rope.scaling.type");
  if (scaling !== undefined && scaling !== "none") {
    throw new InputError(`${path}: rope.scaling.type ${JSON.stringify(scaling)} is not supported`);
  }
  if (header.tensors.has("rope_freqs.weight")) {
    throw new InputError(
      `${path}: scaled rotary frequencies (rope_freqs.weight) are not supported`,
    );
  }
  const window = keys.number("attention.sliding_window", 0);
  if (window > 0 && window < keys.number("context_length")) {
    throw new InputError(`${path}: a sliding attention window (${window}) is not supported`);
  }
  if (keys.number("expert_count", 0) > 0) {
    throw new InputError(`${path}: mixtures of experts are not supported`);
  }
}

function vocabulary(header: GgufHeader, path: string): number {
  const embed = header.tensors.get("token_embd.weight");
  if (!embed) throw new InputError(`${path}: tensor "token_embd.weight" is missing`);
  return Number(embed.shape[1]);
}

/**
 * The policy that a GGUF file's metadata describes.
 * @throws {InputError} on an unknown architecture, a missing number, or an unsupported feature.
 */
export function configFromGguf(header: GgufHeader, path: string): PolicyConfig {
  const { metadata, tensors } = header;
  const arch = String(metadata["general.architecture"]);
  if (!Object.hasOwn(FAMILIES, arch)) {
    const known = Object.keys(FAMILIES).join(", ");
    throw new InputError(`${path}: architecture must be one of ${known}, found ${arch}`);
  }
  const family = FAMILIES[arch];
  const keys = new Keys(metadata, arch, path);
  refuseUnsupported(keys, header, path);
  const width = keys.number("embedding_length");
  const heads = keys.number("attention.head_count");
  const headDim = keys.number("attention.key_length", width / heads);
  const rms = family === "llama" || family === "qwen2";
  const token = (name: string) => {
    const value = metadata[`tokenizer.ggml.${name}_token_id`];
    return value === undefined ? null : Number(value);
  };
  const has = (name: string) => tensors.has(`blk.0.${name}.bias`);
  return {
    family,
    vocabSize: vocabulary(header, path),
    context: keys.number("context_length"),
    layers: keys.number("block_count"),
    width,
    heads,
    kvHeads: keys.number("attention.head_count_kv", heads),
    headDim,
    mlpWidth: keys.number("feed_forward_length"),
    norm: rms ? "rmsnorm" : "layernorm",
    normEps: keys.number(`attention.layer_norm_${rms ? "rms_" : ""}epsilon`),
    activation: rms ? "swiglu" : family === "gpt2" ? "gelu_tanh" : "gelu_erf",
    positions: family === "gpt2" ? "learned" : "rope",
    ropeTheta: family === "gpt2" ? 0 : keys.number("rope.freq_base", 10000),
    ropeDims: family === "gpt2" ? 0 : keys.number("rope.dimension_count", headDim),
    parallelResidual: family === "gpt_neox" && keys.get("use_parallel_residual") !== false,
    qkvBias: has(rms ? "attn_q" : "attn_qkv"),
    outBias: has("attn_output"),
    mlpBias: has("ffn_up"),
    tiedHead: !tensors.has("output.weight"),
    bosTokenId: token("bos"),
    eosTokenId: token("eos"),
    padTokenId: token("padding"),
  };
}
