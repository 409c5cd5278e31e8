/**
 * What a policy is made of: one configuration and one parameter list for all families.
 *
 * Inside the toolkit every linear weight is stored `[out, in]`, queries, keys and values are one matrix
 * (rows q, then k, then v), and so are a SwiGLU's gate and up projections (rows gate, then up). That makes
 * one transformer serve GPT-2, Llama, Qwen2 and GPT-NeoX; the readers of model files translate names and
 * layouts when a model is read or written.
 */
import { InputError } from "../errors.ts";

/** The architectures that can be read, trained and written. */
export type Family = "gpt2" | "llama" | "qwen2" | "gpt_neox";

/** Architecture of a policy (paper: pi_theta). All sizes are counts, not bytes. */
export interface PolicyConfig {
  /** Which files it is read from and written to. */
  readonly family: Family;
  /** Tokens it knows. */
  readonly vocabSize: number;
  /** Longest sequence the positions allow. */
  readonly context: number;
  /** Transformer layers. */
  readonly layers: number;
  /** Width of the residual stream. */
  readonly width: number;
  /** Query heads. */
  readonly heads: number;
  /** Key/value heads; query head h reads kv head floor(h / (heads / kvHeads)). */
  readonly kvHeads: number;
  /** Width of a head. */
  readonly headDim: number;
  /** Inner width of the MLP (of one branch, for SwiGLU). */
  readonly mlpWidth: number;
  /** Which norm. */
  readonly norm: "layernorm" | "rmsnorm";
  /** Added to the variance (or mean square) inside the root. */
  readonly normEps: number;
  /** The MLP's nonlinearity. */
  readonly activation: "gelu_tanh" | "gelu_erf" | "swiglu";
  /** How positions enter. */
  readonly positions: "learned" | "rope";
  /** Base of the rotary frequencies; 0 with learned positions. */
  readonly ropeTheta: number;
  /** Leading dimensions of each head that are rotated (rotate-half pairing); 0 with learned positions. */
  readonly ropeDims: number;
  /** GPT-NeoX: x + attention(norm1(x)) + mlp(norm2(x)). */
  readonly parallelResidual: boolean;
  /** Queries, keys and values have biases. */
  readonly qkvBias: boolean;
  /** The attention's output has a bias. */
  readonly outBias: boolean;
  /** The MLP's projections have biases. */
  readonly mlpBias: boolean;
  /** The output head is the embedding matrix. */
  readonly tiedHead: boolean;
  /** Begins a sequence. */
  readonly bosTokenId: number | null;
  /** Ends a reply. */
  readonly eosTokenId: number | null;
  /** Fills rows up. */
  readonly padTokenId: number | null;
}

/** One trainable tensor. `shape` is `[rows, columns]` or `[length]`. */
export interface ParameterSpec {
  /** The toolkit's own name. */
  readonly name: string;
  /** `[rows, columns]` or `[length]`. */
  readonly shape: readonly number[];
}

/** Host copy of a policy: float32 values by internal name, as listed by {@linkcode parameterSpecs}. */
export interface PolicyWeights {
  /** Its architecture. */
  readonly config: PolicyConfig;
  /** Values by internal name. */
  readonly tensors: Map<string, Float32Array>;
}

/** Rows of the fused query/key/value matrix. */
export function qkvRows(config: PolicyConfig): number {
  return (config.heads + 2 * config.kvHeads) * config.headDim;
}

/** All parameters in storage order; names are the toolkit's internal ones. */
export function parameterSpecs(config: PolicyConfig): ParameterSpec[] {
  const { width, vocabSize, mlpWidth, heads, headDim } = config;
  const specs: ParameterSpec[] = [];
  const add = (name: string, ...shape: number[]) => specs.push({ name, shape });
  const norm = (name: string) => {
    add(`${name}.weight`, width);
    if (config.norm === "layernorm") add(`${name}.bias`, width);
  };
  const linear = (name: string, out: number, inner: number, bias: boolean) => {
    add(`${name}.weight`, out, inner);
    if (bias) add(`${name}.bias`, out);
  };
  add("embed.weight", vocabSize, width);
  if (config.positions === "learned") add("positions.weight", config.context, width);
  for (let i = 0; i < config.layers; i++) {
    const layer = `layers.${i}`;
    norm(`${layer}.norm1`);
    linear(`${layer}.attention.qkv`, qkvRows(config), width, config.qkvBias);
    linear(`${layer}.attention.out`, width, heads * headDim, config.outBias);
    norm(`${layer}.norm2`);
    linear(
      `${layer}.mlp.up`,
      config.activation === "swiglu" ? 2 * mlpWidth : mlpWidth,
      width,
      config.mlpBias,
    );
    linear(`${layer}.mlp.down`, width, mlpWidth, config.mlpBias);
  }
  norm("final_norm");
  if (!config.tiedHead) linear("head", vocabSize, width, false);
  return specs;
}

/** Number of trainable values. */
export function parameterCount(config: PolicyConfig): number {
  return parameterSpecs(config).reduce((sum, p) => sum + p.shape.reduce((a, b) => a * b, 1), 0);
}

/**
 * Checks that a configuration describes a policy that can be built.
 * @throws {InputError} naming the first field that cannot be right.
 */
export function checkConfig(config: PolicyConfig): PolicyConfig {
  const fail = (field: string, expected: string) => {
    const found = JSON.stringify(config[field as keyof PolicyConfig]);
    throw new InputError(`model config: ${field} must be ${expected}, found ${found}`);
  };
  const sizes = [
    "vocabSize",
    "context",
    "layers",
    "width",
    "heads",
    "kvHeads",
    "headDim",
    "mlpWidth",
  ];
  for (const field of sizes) {
    const value = config[field as keyof PolicyConfig] as number;
    if (!Number.isSafeInteger(value) || value < 1) fail(field, "a positive whole number");
  }
  if (config.heads % config.kvHeads !== 0) {
    fail("kvHeads", `a divisor of heads (${config.heads})`);
  }
  if (!(config.normEps > 0)) fail("normEps", "a positive number");
  if (config.positions === "rope") {
    if (!(config.ropeTheta > 0)) fail("ropeTheta", "a positive number");
    if (config.ropeDims % 2 !== 0 || config.ropeDims < 2 || config.ropeDims > config.headDim) {
      fail("ropeDims", `an even number from 2 to headDim (${config.headDim})`);
    }
  }
  return config;
}

/**
 * A new policy of the Llama family from its sizes; whatever else is named replaces the usual choice.
 *
 * @example
 * ```ts
 * import { llamaConfig, parameterCount } from "@infant/toolkit/kernels";
 *
 * const config = llamaConfig({ vocabSize: 512, context: 64, layers: 2, width: 96, heads: 4 });
 * console.log(config.mlpWidth, parameterCount(config)); // 256 270816
 * ```
 * @throws {InputError} when the sizes describe no policy.
 */
export function llamaConfig(
  sizes:
    & Pick<PolicyConfig, "vocabSize" | "context" | "layers" | "width" | "heads">
    & Partial<PolicyConfig>,
): PolicyConfig {
  const headDim = sizes.width / sizes.heads;
  return checkConfig({
    family: "llama",
    kvHeads: sizes.heads,
    headDim,
    // Llama's 8/3 of the width, which gives a gated MLP as many weights as a plain one of four times the width.
    mlpWidth: Math.ceil(8 * sizes.width / 3),
    norm: "rmsnorm",
    normEps: 1e-5,
    activation: "swiglu",
    positions: "rope",
    ropeTheta: 10_000,
    ropeDims: sizes.headDim ?? headDim,
    parallelResidual: false,
    qkvBias: false,
    outBias: false,
    mlpBias: false,
    tiedHead: true,
    bosTokenId: null,
    eosTokenId: null,
    padTokenId: null,
    ...sizes,
  });
}
