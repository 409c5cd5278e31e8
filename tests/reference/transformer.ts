/**
 * The whole policy in float64: tokens -> logits, and back. One transformer serves GPT-2, Llama, Qwen2 and
 * GPT-NeoX; what differs is in `PolicyConfig`.
 *
 * x = embed(ids) [+ positions];  each layer: x += attention(norm1(x)); x += mlp(norm2(x))
 * (GPT-NeoX takes both from the layer's input);  logits = final_norm(x) head^T.
 */
import type { PolicyConfig, PolicyWeights } from "../../kernels/policy/config.ts";
import { activate, activateBackward, swiglu, swigluBackward } from "./activation.ts";
import { attention, attentionBackward, joinQkv, splitQkv } from "./attention.ts";
import { embed, embedBackward } from "./embedding.ts";
import { type Lora, lora, loraBackward } from "./lora.ts";
import { linear, linearBackward } from "./matmul.ts";
import { layerNorm, layerNormBackward, rmsNorm, rmsNormBackward } from "./norm.ts";
import { add } from "./numbers.ts";
import type { Tensors } from "./optimizer.ts";
import { rope, ropeBackward } from "./rope.ts";

/** A policy with its parameters by internal name, and adapters if it has any. */
export interface Policy {
  readonly config: PolicyConfig;
  readonly parameters: Tensors;
  readonly adapters?: readonly Lora[];
}

/** The part of a batch a forward pass reads; a `TokenBatch` fits. */
export interface Tokens {
  readonly rows: number;
  readonly length: number;
  readonly ids: ArrayLike<number>;
  readonly positions: ArrayLike<number>;
  readonly starts: ArrayLike<number>;
}

/** What one layer remembers for its backward pass; all are [tokens, ...]. */
interface LayerActivations {
  readonly input: Float64Array;
  readonly normed1: Float64Array;
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
  readonly mixed: Float64Array;
  readonly middle: Float64Array;
  readonly normed2: Float64Array;
  readonly up: Float64Array;
  readonly activated: Float64Array;
  readonly output: Float64Array;
}

/** The result of a forward pass. */
export interface Activations {
  readonly layers: readonly LayerActivations[];
  /** What the layers start from, [tokens, width]. */
  readonly embedded: Float64Array;
  /** Output of the last layer, before the final norm. */
  readonly residual: Float64Array;
  /** Output of the final norm, [tokens, width]: what the head and value heads read. */
  readonly hidden: Float64Array;
  /** [tokens, vocabSize] */
  readonly logits: Float64Array;
}

/** The result of a backward pass. */
export interface Gradients {
  /** By internal name, adapters' as `lora.NAME.A` and `lora.NAME.B`. */
  readonly parameters: Tensors;
  /** [tokens, width] */
  readonly d_embedded: Float64Array;
}

/** A policy in float64 from the float32 weights of a model file. */
export function toPolicy({ config, tensors }: PolicyWeights, adapters?: readonly Lora[]): Policy {
  const parameters = Array.from(tensors, ([name, t]) => [name, Float64Array.from(t)] as const);
  return { config, parameters: new Map(parameters), adapters };
}

/** tokens -> logits. `embedded` replaces the embeddings of the ids (for attributions). */
export function forward(policy: Policy, tokens: Tokens, embedded?: Float64Array): Activations {
  const { config, parameters } = policy;
  let x = embedded ?? embed(parameters.get("embed.weight")!, tokens.ids, config.width);
  if (config.positions === "learned") {
    x = add(x, embed(parameters.get("positions.weight")!, tokens.positions, config.width));
  }
  const start = x;
  const layers = Array.from({ length: config.layers }, (_, i) => {
    const layer = layerForward(policy, `layers.${i}`, x, tokens);
    x = layer.output;
    return layer;
  });
  const hidden = norm(policy, "final_norm", x);
  const logits = project(policy, headName(config), hidden);
  return { layers, embedded: start, residual: x, hidden, logits };
}

/** d_logits (and d_hidden, where a value head reads it) -> gradients of all parameters. */
export function backward(
  policy: Policy,
  tokens: Tokens,
  activations: Activations,
  d_logits: Float64Array,
  d_hidden?: Float64Array,
): Gradients {
  const { config } = policy;
  const g = new GradientSum();
  let d = projectBackward(policy, headName(config), activations.hidden, d_logits, g);
  if (d_hidden) d = add(d, d_hidden);
  d = normBackward(policy, "final_norm", activations.residual, d, g);
  for (let i = config.layers - 1; i >= 0; i--) {
    d = layerBackward(policy, `layers.${i}`, activations.layers[i], tokens, d, g);
  }
  if (config.positions === "learned") {
    g.add("positions.weight", embedBackward(tokens.positions, d, config.context, config.width));
  }
  g.add("embed.weight", embedBackward(tokens.ids, d, config.vocabSize, config.width));
  return { parameters: g.sums, d_embedded: d };
}

function layerForward(
  policy: Policy,
  name: string,
  input: Float64Array,
  tokens: Tokens,
): LayerActivations {
  const { config } = policy;
  const normed1 = norm(policy, `${name}.norm1`, input);
  const fused = rotated(policy, project(policy, `${name}.attention.qkv`, normed1), tokens, rope);
  const { q, k, v } = splitQkv(fused, { ...config, ...tokens });
  const mixed = attention(q, k, v, tokens.starts, { ...config, ...tokens }).out;
  const middle = add(input, project(policy, `${name}.attention.out`, mixed));

  const normed2 = norm(policy, `${name}.norm2`, config.parallelResidual ? input : middle);
  const up = project(policy, `${name}.mlp.up`, normed2);
  const activated = config.activation === "swiglu"
    ? swiglu(up, config.mlpWidth)
    : activate(config.activation, up);
  const output = add(middle, project(policy, `${name}.mlp.down`, activated));
  return { input, normed1, q, k, v, mixed, middle, normed2, up, activated, output };
}

function layerBackward(
  policy: Policy,
  name: string,
  layer: LayerActivations,
  tokens: Tokens,
  d_output: Float64Array,
  g: GradientSum,
): Float64Array {
  const { config } = policy;
  const { input, middle, q, k, v } = layer;
  const d_activated = projectBackward(policy, `${name}.mlp.down`, layer.activated, d_output, g);
  const d_up = config.activation === "swiglu"
    ? swigluBackward(layer.up, d_activated, config.mlpWidth)
    : activateBackward(config.activation, layer.up, d_activated);
  const d_normed2 = projectBackward(policy, `${name}.mlp.up`, layer.normed2, d_up, g);
  const mlpInput = config.parallelResidual ? input : middle;
  const d_mlpInput = normBackward(policy, `${name}.norm2`, mlpInput, d_normed2, g);
  const d_middle = config.parallelResidual ? d_output : add(d_output, d_mlpInput);

  const d_mixed = projectBackward(policy, `${name}.attention.out`, layer.mixed, d_middle, g);
  const shape = { ...config, ...tokens };
  const { d_q, d_k, d_v } = attentionBackward(q, k, v, tokens.starts, d_mixed, shape);
  const d_qkv = rotated(policy, joinQkv(d_q, d_k, d_v, shape), tokens, ropeBackward);
  const d_normed1 = projectBackward(policy, `${name}.attention.qkv`, layer.normed1, d_qkv, g);
  const d_input = add(d_middle, normBackward(policy, `${name}.norm1`, input, d_normed1, g));
  return config.parallelResidual ? add(d_input, d_mlpInput) : d_input;
}

/** Queries and keys of fused rows turned to their positions (or their gradients turned back). */
function rotated(
  { config }: Policy,
  qkv: Float64Array,
  { positions }: Tokens,
  turn: typeof rope,
): Float64Array {
  if (config.positions !== "rope") return qkv;
  const { heads, kvHeads, headDim, ropeDims, ropeTheta: theta } = config;
  const rowWidth = (heads + 2 * kvHeads) * headDim;
  return turn(qkv, positions, { heads: heads + kvHeads, headDim, ropeDims, theta, rowWidth });
}

const headName = (config: PolicyConfig): string => config.tiedHead ? "embed" : "head";

function norm({ config, parameters }: Policy, name: string, x: Float64Array): Float64Array {
  const weight = parameters.get(`${name}.weight`)!;
  return config.norm === "layernorm"
    ? layerNorm(x, weight, parameters.get(`${name}.bias`)!, config.width, config.normEps)
    : rmsNorm(x, weight, config.width, config.normEps);
}

function normBackward(
  { config, parameters }: Policy,
  name: string,
  x: Float64Array,
  d_y: Float64Array,
  g: GradientSum,
): Float64Array {
  const backward = config.norm === "layernorm" ? layerNormBackward : rmsNormBackward;
  const weight = parameters.get(`${name}.weight`)!;
  const { d_x, d_weight, d_bias } = backward(x, weight, d_y, config.width, config.normEps);
  g.add(`${name}.weight`, d_weight);
  if (config.norm === "layernorm") g.add(`${name}.bias`, d_bias);
  return d_x;
}

/** y = x W^T + b, plus what the layer's adapters add. */
function project(policy: Policy, name: string, x: Float64Array): Float64Array {
  const { weight, bias, shape, adapters } = layerOf(policy, name, x);
  const y = linear(x, weight, bias, shape);
  for (const adapter of adapters) {
    const { rowCount, rowStart } = adapter;
    lora(adapter, x, shape.rows).forEach((value, i) => {
      y[Math.floor(i / rowCount) * shape.out + rowStart + i % rowCount] += value;
    });
  }
  return y;
}

function projectBackward(
  policy: Policy,
  name: string,
  x: Float64Array,
  d_y: Float64Array,
  g: GradientSum,
): Float64Array {
  const { weight, bias, shape, adapters } = layerOf(policy, name, x);
  const { d_x, d_weight, d_bias } = linearBackward(x, weight, bias, d_y, shape);
  g.add(`${name}.weight`, d_weight);
  if (bias) g.add(`${name}.bias`, d_bias);
  return adapters.reduce((sum, adapter) => {
    const { rowCount, rowStart } = adapter;
    const d_part = new Float64Array(shape.rows * rowCount).map(
      (_, i) => d_y[Math.floor(i / rowCount) * shape.out + rowStart + i % rowCount],
    );
    const part = loraBackward(adapter, x, d_part, shape.rows);
    g.add(`lora.${adapter.name}.A`, part.d_a);
    g.add(`lora.${adapter.name}.B`, part.d_b);
    return add(sum, part.d_x);
  }, d_x);
}

function layerOf({ parameters, adapters = [], config }: Policy, name: string, x: Float64Array) {
  const weight = parameters.get(`${name}.weight`)!;
  const bias = parameters.get(`${name}.bias`) ?? null;
  const inner = name.endsWith("mlp.down")
    ? config.mlpWidth
    : name.endsWith("attention.out")
    ? config.heads * config.headDim
    : config.width;
  const shape = { rows: x.length / inner, inner, out: weight.length / inner };
  return {
    weight,
    bias,
    shape,
    adapters: adapters.filter((a) => a.parameter === `${name}.weight`),
  };
}

/** Gradients by name; a parameter used twice (a tied head) gets the sum. */
class GradientSum {
  readonly sums: Tensors = new Map();

  add(name: string, gradient: Float64Array): void {
    const sum = this.sums.get(name);
    this.sums.set(name, sum ? add(sum, gradient) : gradient);
  }
}
