/**
 * `config.json` of Hugging Face transformers, to and from the toolkit's own configuration.
 *
 * Every field that changes the numbers is either honoured or refused by name; sizes that say which
 * model it is (layers, width, heads, vocabulary) must be there, and the defaults of other absent fields are
 * those of the transformers configuration classes. Dropout is not modelled: it
 * changes training only.
 */
import { InputError } from "../../kernels/errors.ts";
import { checkConfig, type Family, type PolicyConfig } from "../../kernels/policy/config.ts";
import { errorIn } from "../files.ts";

/** A parsed `config.json`. */
export type HuggingFaceConfig = Readonly<Record<string, unknown>>;

/** The families by their `model_type`. */
export const FAMILIES: readonly Family[] = ["gpt2", "llama", "qwen2", "gpt_neox"];

/** Typed access to a config's fields; every complaint names the file and the field. */
class Fields {
  readonly #json: HuggingFaceConfig;
  readonly #where: string;

  constructor(json: HuggingFaceConfig, where: string) {
    this.#json = json;
    this.#where = where;
  }

  /** The value of the first present name; null counts as absent. */
  get(...names: string[]): unknown {
    for (const name of names) {
      const value = this.#json[name];
      if (value !== undefined && value !== null) return value;
    }
    return undefined;
  }

  fail(name: string, expected: string): never {
    const found = JSON.stringify(this.#json[name]) ?? "nothing";
    throw new InputError(`${this.#where}: ${name} must be ${expected}, found ${found}`);
  }

  #number(names: string[], fallback: number | undefined, expected: string): number {
    const value = this.get(...names) ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value)) this.fail(names[0], expected);
    return value;
  }

  size(names: string | string[], fallback?: number): number {
    const list = [names].flat();
    const value = this.#number(list, fallback, "a positive whole number");
    if (!Number.isSafeInteger(value) || value < 1) this.fail(list[0], "a positive whole number");
    return value;
  }

  number(names: string | string[], fallback?: number): number {
    return this.#number([names].flat(), fallback, "a number");
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.get(name) ?? fallback;
    if (typeof value !== "boolean") this.fail(name, "true or false");
    return value;
  }

  /** Refuses any value but the given one (or absence). */
  only(name: string, allowed: unknown, why: string): void {
    const value = this.get(name);
    if (value !== undefined && value !== allowed) {
      this.fail(name, `${JSON.stringify(allowed)} (${why})`);
    }
  }

  /** A token id; the first of several; null when there is none. */
  tokenId(name: string): number | null {
    const value = [this.get(name) ?? null].flat()[0];
    if (value === null || value === -1) return null; // -1 is how old configs say "none".
    if (!Number.isSafeInteger(value) || (value as number) < 0) this.fail(name, "a token id");
    return value as number;
  }
}

function special(f: Fields): Pick<PolicyConfig, "bosTokenId" | "eosTokenId" | "padTokenId"> {
  return {
    bosTokenId: f.tokenId("bos_token_id"),
    eosTokenId: f.tokenId("eos_token_id"),
    padTokenId: f.tokenId("pad_token_id"),
  };
}

/** Rotary settings: `rope_theta` and friends, or the newer `rope_parameters` object. */
function rope(f: Fields, thetaNames: string[], partNames: string[], part: number) {
  const parameters = (f.get("rope_parameters") ?? {}) as HuggingFaceConfig;
  const scaling = (f.get("rope_scaling") ?? {}) as HuggingFaceConfig;
  for (const settings of [scaling, parameters]) {
    const kind = settings.rope_type ?? settings.type ?? "default";
    if (typeof settings !== "object" || kind !== "default") {
      f.fail(
        settings === parameters ? "rope_parameters" : "rope_scaling",
        "null (scaled rotary positions are not supported)",
      );
    }
  }
  const inner = new Fields(parameters, "config: rope_parameters");
  return {
    theta: inner.number("rope_theta", f.number(thetaNames, 10000)),
    part: inner.number("partial_rotary_factor", f.number(partNames, part)),
  };
}

function gelu(f: Fields, name: string, fallback: string): "gelu_tanh" | "gelu_erf" {
  const kind = f.get(name) ?? fallback;
  if (kind === "gelu") return "gelu_erf";
  if (["gelu_new", "gelu_pytorch_tanh", "gelu_fast"].includes(kind as string)) return "gelu_tanh";
  return f.fail(name, '"gelu", "gelu_new", "gelu_fast" or "gelu_pytorch_tanh"');
}

function gpt2(f: Fields): PolicyConfig {
  f.only("scale_attn_weights", true, "unscaled attention is not supported");
  f.only("scale_attn_by_inverse_layer_idx", false, "it changes the attention scale");
  f.only("add_cross_attention", false, "the toolkit is decoder-only");
  const width = f.size("n_embd");
  const heads = f.size("n_head");
  return {
    family: "gpt2",
    vocabSize: f.size("vocab_size"),
    context: f.size(["n_positions", "n_ctx"]),
    layers: f.size("n_layer"),
    width,
    heads,
    kvHeads: heads,
    headDim: headDim(f, "n_embd", width, heads),
    mlpWidth: f.size("n_inner", 4 * width),
    norm: "layernorm",
    normEps: f.number("layer_norm_epsilon", 1e-5),
    activation: gelu(f, "activation_function", "gelu_new"),
    positions: "learned",
    ropeTheta: 0,
    ropeDims: 0,
    parallelResidual: false,
    qkvBias: true,
    outBias: true,
    mlpBias: true,
    tiedHead: f.flag("tie_word_embeddings", true),
    ...special(f),
  };
}

function headDim(f: Fields, name: string, width: number, heads: number): number {
  if (width % heads !== 0) f.fail(name, `a multiple of the ${heads} attention heads`);
  return width / heads;
}

/** Llama and Qwen2 differ in where biases are and in the sliding window. */
function llamaLike(f: Fields, family: "llama" | "qwen2"): PolicyConfig {
  const kind = f.get("hidden_act") ?? "silu";
  if (kind !== "silu" && kind !== "swish") f.fail("hidden_act", '"silu"');
  const width = f.size("hidden_size");
  const heads = f.size("num_attention_heads");
  const dim = f.get("head_dim") === undefined
    ? headDim(f, "hidden_size", width, heads)
    : f.size("head_dim");
  const context = f.size("max_position_embeddings", family === "llama" ? 2048 : 32768);
  const layers = f.size("num_hidden_layers");
  checkWindow(f, context, layers);
  const { theta, part } = rope(f, ["rope_theta"], ["partial_rotary_factor"], 1);
  if (part !== 1) f.fail("partial_rotary_factor", "1 for this family");
  const bias = family === "llama" && f.flag("attention_bias", false);
  return {
    family,
    vocabSize: f.size("vocab_size"),
    context,
    layers,
    width,
    heads,
    kvHeads: f.size("num_key_value_heads", heads),
    headDim: dim,
    mlpWidth: f.size("intermediate_size"),
    norm: "rmsnorm",
    normEps: f.number("rms_norm_eps", 1e-6),
    activation: "swiglu",
    positions: "rope",
    ropeTheta: theta,
    ropeDims: dim,
    parallelResidual: false,
    qkvBias: family === "qwen2" || bias,
    outBias: bias,
    mlpBias: family === "llama" && f.flag("mlp_bias", false),
    tiedHead: f.flag("tie_word_embeddings", false),
    ...special(f),
  };
}

/** A sliding window is harmless only where it never hides a key. */
function checkWindow(f: Fields, context: number, layers: number): void {
  const types = f.get("layer_types");
  if (Array.isArray(types) && types.some((type) => type !== "full_attention")) {
    f.fail("layer_types", '"full_attention" throughout (sliding windows are not supported)');
  }
  const inUse = f.flag("use_sliding_window", false) &&
    f.number("max_window_layers", 28) < layers && f.number("sliding_window", 4096) < context;
  if (inUse) f.fail("use_sliding_window", "false (sliding windows are not supported)");
}

function gptNeox(f: Fields): PolicyConfig {
  const width = f.size("hidden_size");
  const heads = f.size("num_attention_heads");
  const dim = headDim(f, "hidden_size", width, heads);
  const { theta, part } = rope(f, ["rotary_emb_base", "rope_theta"], ["rotary_pct"], 0.25);
  const bias = f.flag("attention_bias", true);
  return {
    family: "gpt_neox",
    vocabSize: f.size("vocab_size"),
    context: f.size("max_position_embeddings", 2048),
    layers: f.size("num_hidden_layers"),
    width,
    heads,
    kvHeads: heads,
    headDim: dim,
    mlpWidth: f.size("intermediate_size"),
    norm: "layernorm",
    normEps: f.number("layer_norm_eps", 1e-5),
    activation: gelu(f, "hidden_act", "gelu"),
    positions: "rope",
    ropeTheta: theta,
    ropeDims: Math.trunc(part * dim),
    parallelResidual: f.flag("use_parallel_residual", true),
    qkvBias: bias,
    outBias: bias,
    mlpBias: true,
    tiedHead: f.flag("tie_word_embeddings", false),
    ...special(f),
  };
}

/** Checks a configuration; complaints name the file it came from. */
export function checkConfigOf(config: PolicyConfig, where: string): PolicyConfig {
  try {
    return checkConfig(config);
  } catch (error) {
    throw errorIn(where, error);
  }
}

/**
 * Reads a transformers configuration.
 * @param json The parsed `config.json`.
 * @param where Names the file in errors.
 * @throws {InputError} on an unknown family, a missing size, or a field whose value is not
 * supported.
 */
export function configFromHuggingFace(
  json: HuggingFaceConfig,
  where = "config.json",
): PolicyConfig {
  const f = new Fields(json, where);
  const type = f.get("model_type");
  if (type === "gpt2") return checkConfigOf(gpt2(f), where);
  if (type === "llama" || type === "qwen2") return checkConfigOf(llamaLike(f, type), where);
  if (type === "gpt_neox") return checkConfigOf(gptNeox(f), where);
  return f.fail("model_type", `one of ${FAMILIES.join(", ")}`);
}

const ARCHITECTURES: Readonly<Record<Family, string>> = {
  gpt2: "GPT2LMHeadModel",
  llama: "LlamaForCausalLM",
  qwen2: "Qwen2ForCausalLM",
  gpt_neox: "GPTNeoXForCausalLM",
};

/** A fraction whose product with `dim` truncates to `dims` again, whatever the rounding. */
function rotaryPart(dims: number, dim: number): number {
  const part = dims / dim;
  return Math.trunc(part * dim) === dims ? part : (dims + 0.5) / dim;
}

function familyFields(c: PolicyConfig): Record<string, unknown> {
  const gelu = c.activation === "gelu_erf" ? "gelu" : "gelu_new";
  if (c.family === "gpt2") {
    return {
      n_layer: c.layers,
      n_embd: c.width,
      n_head: c.heads,
      n_positions: c.context,
      n_ctx: c.context,
      n_inner: c.mlpWidth === 4 * c.width ? null : c.mlpWidth,
      activation_function: gelu,
      layer_norm_epsilon: c.normEps,
    };
  }
  const shared = {
    num_hidden_layers: c.layers,
    hidden_size: c.width,
    num_attention_heads: c.heads,
    intermediate_size: c.mlpWidth,
    max_position_embeddings: c.context,
  };
  if (c.family === "gpt_neox") {
    return {
      ...shared,
      hidden_act: gelu,
      layer_norm_eps: c.normEps,
      rotary_pct: rotaryPart(c.ropeDims, c.headDim),
      rotary_emb_base: c.ropeTheta,
      use_parallel_residual: c.parallelResidual,
      attention_bias: c.qkvBias,
    };
  }
  return {
    ...shared,
    num_key_value_heads: c.kvHeads,
    head_dim: c.headDim,
    hidden_act: "silu",
    rms_norm_eps: c.normEps,
    rope_theta: c.ropeTheta,
    rope_scaling: null,
    ...(c.family === "qwen2"
      ? { use_sliding_window: false }
      : { attention_bias: c.qkvBias, mlp_bias: c.mlpBias }),
  };
}

/**
 * The `config.json` that transformers reads as this same policy.
 * @throws {InputError} when the family cannot express a field, e.g. a Llama with biases on q, k, v
 * only.
 */
export function configToHuggingFace(config: PolicyConfig): Record<string, unknown> {
  const json: Record<string, unknown> = {
    model_type: config.family,
    architectures: [ARCHITECTURES[config.family]],
    vocab_size: config.vocabSize,
    ...familyFields(config),
    tie_word_embeddings: config.tiedHead,
    bos_token_id: config.bosTokenId,
    eos_token_id: config.eosTokenId,
    pad_token_id: config.padTokenId,
    torch_dtype: "float32",
  };
  const back = configFromHuggingFace(json);
  for (const key of Object.keys(config) as (keyof PolicyConfig)[]) {
    if (back[key] !== config[key]) {
      throw new InputError(
        `model config: a ${config.family} file cannot say ${key} = ${config[key]} ` +
          `(it would be read as ${back[key]})`,
      );
    }
  }
  return json;
}
