/**
 * The policy pi_theta(a | h): one transformer for the GPT-2, Llama, Qwen2 and GPT-NeoX families.
 *
 *     x = embed(ids) (+ positions)
 *     x = x + attention(norm1(x));  x = x + mlp(norm2(x))      for each layer (GPT-NeoX: both from the same x)
 *     logits = head(final_norm(x))
 *
 * Reading it is recording it: each line appends kernels to the tape, and its backward with them.
 */
import { type Activation, activation } from "../activation/activation.ts";
import { attention } from "../attention/attention.ts";
import { attentionCached, type KvCache, rotatesOnAppend } from "../attention/cache.ts";
import { dropout } from "../dropout/dropout.ts";
import { embedding, type EntryLists } from "../embedding/embedding.ts";
import { InputError } from "../errors.ts";
import type { Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fusedLinear } from "../matmul/fused_linear.ts";
import { linear } from "../matmul/linear.ts";
import { norm } from "../norm/norm.ts";
import { add } from "../residual/add.ts";
import { rotate } from "../rope/rope.ts";
import { addLora, loraScale, storedRows } from "./lora.ts";
import type { Parameters } from "./parameters.ts";
import { headStride } from "./storage.ts";

/** Dropout streams of the adapters start here, beyond those of any layer. */
const LORA_STREAM = 1 << 20;

/** The tokens a policy reads; {@linkcode TokenTensors} fits. */
export interface PolicyInput {
  /** Sequences. */
  readonly rows: number;
  /** Tokens of each row. */
  readonly length: number;
  /** u32 [rows * length]: token ids. */
  readonly ids: Tensor;
  /** u32 [rows * length]: position of each token. */
  readonly positions: Tensor;
  /** First visible key of each token (or of each row, with a cache). */
  readonly starts: Tensor;
  /** Rows by token id, for the gradient of the embedding. */
  readonly idLists?: EntryLists;
  /** Rows by position, for the gradient of learned positions. */
  readonly positionLists?: EntryLists;
}

/** How the forward pass is recorded. */
export interface TransformerOptions {
  /** cos/sin table, see `ropeTable`; needed for rotary positions. */
  readonly rope: Tensor | null;
  /** Recompute each layer's activations in the backward pass instead of keeping them. */
  readonly recompute?: boolean;
  /** Dropout on the embedding and on each branch before it joins the residual stream. */
  readonly dropout?: { readonly rate: number; readonly seed: Tensor } | null;
  /** Incremental decoding: keys and values of earlier tokens, and where the new ones go. */
  readonly cache?: { readonly kv: KvCache; readonly cursor: Tensor } | null;
}

/**
 * Hidden states after the final norm, [rows * length, width].
 * @throws {InputError} when `options.rope` is missing for a policy with rotary positions, or a shape does not fit.
 */
export function transformer(
  tape: Tape,
  parameters: Parameters,
  input: PolicyInput,
  options: TransformerOptions,
): Tensor {
  return normBy(tape, parameters, residualStream(tape, parameters, input, options), "final_norm");
}

/** Hidden states before the final norm, [rows * length, width]. @throws {InputError} as {@linkcode transformer}. */
export function residualStream(
  tape: Tape,
  parameters: Parameters,
  input: PolicyInput,
  options: TransformerOptions,
): Tensor {
  const { config } = parameters;
  if (config.positions === "rope" && !options.rope) {
    throw new InputError("a policy with rotary positions needs the table of ropeTable()");
  }
  let x = embedding(
    tape,
    { table: parameters.get("embed.weight"), indices: input.ids, lists: input.idLists },
    config.positions === "learned"
      ? {
        table: parameters.get("positions.weight"),
        indices: input.positions,
        lists: input.positionLists,
      }
      : null,
  );
  x = dropped(tape, x, options, 0);
  for (let i = 0; i < config.layers; i++) {
    const before = x;
    const layer = () => block(tape, parameters, before, i, input, options);
    x = options.recompute ? tape.recompute(layer) : layer();
  }
  return x;
}

/**
 * Logits [rows of hidden, vocabulary] by the output head (the embedding, where tied). `d_hidden`: where the gradient of `hidden` goes,
 * instead of a new tensor. For losses over many tokens see `overVocabulary`.
 */
export function languageModelHead(
  tape: Tape,
  parameters: Parameters,
  hidden: Tensor,
  d_hidden?: Tensor,
): Tensor {
  return linear(tape, hidden, headOf(parameters), { name: "logits", d_x: d_hidden });
}

function headOf(parameters: Parameters): Tensor {
  return parameters.operand(parameters.config.tiedHead ? "embed.weight" : "head.weight");
}

/** Logits [rows, vocabulary] of rows of {@linkcode residualStream}, for inference. */
export function logitsOf(tape: Tape, parameters: Parameters, x: Tensor): Tensor {
  if (!fuses(parameters)) {
    return languageModelHead(tape, parameters, normBy(tape, parameters, x, "final_norm"));
  }
  const norm = normOf(parameters, "final_norm");
  return fusedLinear(tape, x, headOf(parameters), { norm, name: "logits" });
}

function block(
  tape: Tape,
  parameters: Parameters,
  x: Tensor,
  layer: number,
  input: PolicyInput,
  options: TransformerOptions,
): Tensor {
  const { config } = parameters;
  const name = `layers.${layer}`;
  const shape = { rows: input.rows, length: input.length };
  const stride = headStride(config);
  const qkv = project(tape, parameters, x, `${name}.attention.qkv`, options, {
    norm: `${name}.norm1`,
  });
  const { rope, cache } = options;
  const later = cache && rotatesOnAppend(config);
  if (rope && !later) rotate(tape, qkv, input.positions, rope, config, stride);
  const mixed = cache
    ? attentionCached(
      tape,
      qkv,
      cache.kv,
      layer,
      input.starts,
      cache.cursor,
      shape,
      config,
      stride,
      rope && later ? { positions: input.positions, table: rope } : null,
    )
    : attention(tape, qkv, input.starts, shape, config, stride, undefined, parameters.precision);
  const attended = joined(
    tape,
    parameters,
    mixed,
    `${name}.attention.out`,
    x,
    options,
    2 * layer + 1,
  );
  const before = config.parallelResidual ? x : attended;
  const inner = project(tape, parameters, before, `${name}.mlp.up`, options, {
    norm: `${name}.norm2`,
    activation: config.activation,
  });
  return joined(tape, parameters, inner, `${name}.mlp.down`, attended, options, 2 * layer + 2);
}

function normOf(parameters: Parameters, name: string) {
  const [weight, bias] = [parameters.get(`${name}.weight`), parameters.find(`${name}.bias`)];
  return { weight, bias, eps: parameters.config.normEps };
}

function normBy(tape: Tape, parameters: Parameters, x: Tensor, name: string): Tensor {
  const { weight, bias, eps } = normOf(parameters, name);
  return norm(tape, x, weight, bias, eps, parameters.precision);
}

/** Whether decoding may join a projection with what surrounds it: adapters add to it in between, float16 lies in other buffers. */
function fuses({ lora, precision }: Parameters): boolean {
  return !lora && precision === "f32";
}

/** residual + dropout(project(x)); the sum is fused into the projection where there is no dropout. */
function joined(
  tape: Tape,
  parameters: Parameters,
  x: Tensor,
  name: string,
  residual: Tensor,
  options: TransformerOptions,
  stream: number,
): Tensor {
  if (!options.dropout?.rate) return project(tape, parameters, x, name, options, { residual });
  const branch = project(tape, parameters, x, name, options);
  const { rate, seed } = options.dropout;
  return add(tape, residual, dropout(tape, branch, rate, seed, stream));
}

function dropped(
  tape: Tape,
  x: Tensor,
  { dropout: d }: TransformerOptions,
  stream: number,
): Tensor {
  return d?.rate ? dropout(tape, x, d.rate, d.seed, stream) : x;
}

/** What surrounds a projection; norms by name. */
interface Around {
  readonly norm?: string;
  readonly residual?: Tensor | null;
  readonly activation?: Activation;
}

/** act(norm(x) W^T + b) (+ residual), and the low-rank adapters that sit on W. */
function project(
  tape: Tape,
  parameters: Parameters,
  input: Tensor,
  name: string,
  options: TransformerOptions,
  { norm, residual = null, activation: act }: Around = {},
): Tensor {
  const weight = parameters.operand(`${name}.weight`);
  const bias = parameters.find(`${name}.bias`);
  if (options.cache && fuses(parameters)) {
    const normed = norm ? normOf(parameters, norm) : undefined;
    return fusedLinear(tape, input, weight, {
      norm: normed,
      bias,
      activation: act,
      residual,
      name,
    });
  }
  const dtype = act ? parameters.precision : "f32";
  const x = norm ? normBy(tape, parameters, input, norm) : input;
  const y = linear(tape, x, weight, { bias, residual, dtype, name });
  const { lora, config } = parameters;
  lora?.targets.forEach((target, i) => {
    if (target.parameter !== `${name}.weight`) return;
    const { start, count } = storedRows(config, target);
    const branch = {
      a: parameters.operand(`lora.${target.name}.A`),
      b: parameters.operand(`lora.${target.name}.B`),
      columnStart: start,
      columnCount: count,
      scale: loraScale(lora),
      dropout: lora.dropout,
    };
    addLora(tape, x, y, branch, options.dropout?.seed ?? null, LORA_STREAM + i);
  });
  return act ? activation(tape, y, act, parameters.precision) : y;
}
