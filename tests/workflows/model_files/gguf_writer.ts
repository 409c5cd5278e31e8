/**
 * A GGUF version 3 writer for fixtures, and the conversion of a Hugging Face model that llama.cpp's
 * script does. Written from the format's description, not from the reader under test.
 */
import type { PolicyConfig, PolicyWeights } from "../../../kernels/policy/config.ts";
import { toHuggingFace } from "../../../workflows/model_files/layouts.ts";

/**
 * Metadata values by kind: 4 uint32, 6 float32, 7 bool, 8 string, and arrays of strings, floats,
 * int32.
 */
export type Meta =
  | number
  | boolean
  | string
  | { float: number }
  | string[]
  | { floats: number[] }
  | {
    ints: number[];
  };

/**
 * A tensor: sizes as in Hugging Face (outermost first), GGML type 0 F32, 1 F16, 30 BF16, others for
 * errors.
 */
export interface GgufTensor {
  name: string;
  shape: number[];
  type: number;
  bytes: Uint8Array;
}

class Writer {
  readonly bytes: number[] = [];
  u32(value: number): this {
    this.bytes.push(...new Uint8Array(Uint32Array.of(value).buffer));
    return this;
  }
  u64(value: number): this {
    this.bytes.push(...new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
    return this;
  }
  f32(value: number): this {
    this.bytes.push(...new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }
  text(value: string): this {
    const bytes = new TextEncoder().encode(value);
    this.u64(bytes.length);
    this.bytes.push(...bytes);
    return this;
  }
  pad(to: number): this {
    while (this.bytes.length % to !== 0) this.bytes.push(0);
    return this;
  }
}

function writeMeta(w: Writer, value: Meta): void {
  if (typeof value === "number") w.u32(4).u32(value);
  else if (typeof value === "boolean") w.u32(7).bytes.push(Number(value));
  else if (typeof value === "string") w.u32(8).text(value);
  else if (Array.isArray(value)) {
    w.u32(9).u32(8).u64(value.length);
    for (const item of value) w.text(item);
  } else if ("float" in value) w.u32(6).f32(value.float);
  else if ("floats" in value) {
    w.u32(9).u32(6).u64(value.floats.length);
    for (const item of value.floats) w.f32(item);
  } else {
    w.u32(9).u32(5).u64(value.ints.length);
    for (const item of value.ints) w.u32(item >>> 0);
  }
}

/** The bytes of a GGUF file. */
export function ggufFile(metadata: Record<string, Meta>, tensors: GgufTensor[]): Uint8Array {
  const w = new Writer();
  w.bytes.push(...new TextEncoder().encode("GGUF"));
  w.u32(3).u64(tensors.length).u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) writeMeta(w.text(key), value);
  let offset = 0;
  for (const { name, shape, type, bytes } of tensors) {
    w.text(name).u32(shape.length);
    for (const size of shape.toReversed()) w.u64(size);
    w.u32(type).u64(offset);
    offset += Math.ceil(bytes.length / 32) * 32;
  }
  w.pad(32);
  const start = w.bytes.length;
  const file = new Uint8Array(start + offset);
  file.set(w.bytes);
  let at = start;
  for (const { bytes } of tensors) {
    file.set(bytes, at);
    at += Math.ceil(bytes.length / 32) * 32;
  }
  return file;
}

/** Rows of a matrix (or elements of a vector) as a list. */
function rows(data: Float32Array, count: number): Float32Array[] {
  const size = data.length / count;
  return Array.from({ length: count }, (_, i) => data.subarray(i * size, (i + 1) * size));
}

function flat(list: Float32Array[]): Float32Array {
  return Float32Array.from(list.flatMap((row) => [...row]));
}

/** reshape(heads, 2, dim / 2).swapaxes(1, 2): what the converter does to Llama's q and k. */
function interleave(data: Float32Array, heads: number, dim: number): Float32Array {
  const list = rows(data, heads * dim);
  const out: Float32Array[] = [];
  for (let h = 0; h < heads; h++) {
    for (let i = 0; i < dim / 2; i++) {
      for (let part = 0; part < 2; part++) out.push(list[h * dim + part * (dim / 2) + i]);
    }
  }
  return flat(out);
}

/** reshape(heads, 3, dim) -> all q, all k, all v. */
function unfuse(data: Float32Array, heads: number, dim: number): Float32Array {
  const list = rows(data, heads * 3 * dim);
  const out: Float32Array[] = [];
  for (let part = 0; part < 3; part++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < dim; i++) out.push(list[(h * 3 + part) * dim + i]);
    }
  }
  return flat(out);
}

function transposed(data: Float32Array, inner: number, out: number): Float32Array {
  return new Float32Array(data.length).map((_, at) =>
    data[(at % inner) * out + Math.floor(at / inner)]
  );
}

const RENAMES: [RegExp, string][] = [
  [/^transformer\.wte|^model\.embed_tokens|^gpt_neox\.embed_in/, "token_embd"],
  [/^transformer\.wpe/, "position_embd"],
  [/^(transformer\.ln_f|model\.norm|gpt_neox\.final_layer_norm)/, "output_norm"],
  [/^(lm_head|embed_out)/, "output"],
  [/^(transformer\.h|model\.layers|gpt_neox\.layers)\.(\d+)\./, "blk.$2."],
  [/\.(ln_1|input_layernorm)\./, ".attn_norm."],
  [/\.(ln_2|post_attention_layernorm)\./, ".ffn_norm."],
  [/\.(attn\.c_attn|attention\.query_key_value)\./, ".attn_qkv."],
  [/\.(attn\.c_proj|attention\.dense|self_attn\.o_proj)\./, ".attn_output."],
  [/\.self_attn\.([qkv])_proj\./, ".attn_$1."],
  [/\.(mlp\.c_fc|mlp\.dense_h_to_4h|mlp\.up_proj)\./, ".ffn_up."],
  [/\.(mlp\.c_proj|mlp\.dense_4h_to_h|mlp\.down_proj)\./, ".ffn_down."],
  [/\.mlp\.gate_proj\./, ".ffn_gate."],
];

/** The tensors of a GGUF file of this policy, F32. */
export function ggufTensors({ config, tensors }: PolicyWeights): GgufTensor[] {
  return toHuggingFace(config, tensors).map((tensor) => {
    const name = RENAMES.reduce((text, [from, to]) => text.replace(from, to), tensor.name);
    let { data, shape } = tensor;
    if (config.family === "gpt2" && /h\.\d+\..*(c_attn|c_proj|c_fc)\.weight/.test(tensor.name)) {
      data = transposed(data, shape[0], shape[1]);
      shape = shape.toReversed();
    }
    if (config.family === "gpt_neox" && name.includes("attn_qkv")) {
      data = unfuse(data, config.heads, config.headDim);
    }
    if (config.family === "llama" && /attn_[qk]\./.test(name)) {
      const heads = name.includes("attn_q") ? config.heads : config.kvHeads;
      data = interleave(data, heads, config.headDim);
    }
    const bytes = new Uint8Array(data.slice().buffer);
    return { name, shape: [...shape], type: 0, bytes };
  });
}

/** The metadata of a GGUF file of this policy. */
export function ggufMetadata(c: PolicyConfig): Record<string, Meta> {
  const arch = c.family === "gpt_neox" ? "gptneox" : c.family;
  const eps = c.norm === "rmsnorm" ? "layer_norm_rms_epsilon" : "layer_norm_epsilon";
  const rope: Record<string, Meta> = c.positions === "rope"
    ? { "rope.freq_base": { float: c.ropeTheta }, "rope.dimension_count": c.ropeDims }
    : {};
  const fields: Record<string, Meta> = {
    context_length: c.context,
    embedding_length: c.width,
    block_count: c.layers,
    feed_forward_length: c.mlpWidth,
    "attention.head_count": c.heads,
    "attention.head_count_kv": c.kvHeads,
    "attention.key_length": c.headDim,
    [`attention.${eps}`]: { float: c.normEps },
    ...rope,
    ...(c.family === "gpt_neox" ? { use_parallel_residual: c.parallelResidual } : {}),
  };
  return {
    "general.architecture": arch,
    ...Object.fromEntries(Object.entries(fields).map(([key, value]) => [`${arch}.${key}`, value])),
    "tokenizer.ggml.bos_token_id": c.bosTokenId!,
    "tokenizer.ggml.eos_token_id": c.eosTokenId!,
  };
}
