/**
 * One forward pass, and a backward pass where there are losses: the smallest use of the policy's
 * kernels.
 */
import { readTensors } from "../../kernels/gpu/readback.ts";
import { Tape } from "../../kernels/gpu/tape.ts";
import type { Tensor } from "../../kernels/gpu/tensor.ts";
import { TokenTensors } from "../../kernels/policy/batch.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import { languageModelHead, transformer } from "../../kernels/policy/transformer.ts";
import { ropeTable } from "../../kernels/rope/rope.ts";
import { NO_TARGET, type TokenBatch } from "../data/batch.ts";
import { totalWeight } from "../data/pack/assemble.ts";

/** What a loss can be made of. */
export interface PassInputs {
  readonly tape: Tape;
  /** [rows * length, vocabulary] */
  readonly logits: Tensor;
  /** Weights are divided by their total. */
  readonly tokens: TokenTensors;
  /** Records another policy's logits on the same tokens, without gradients. */
  frozen(other: Parameters): Tensor;
}

/** What came out. */
export interface Pass {
  /** [rows * length, vocabulary] */
  readonly logits: Float32Array;
  /** The recorded tensors, in order. */
  readonly values: readonly Float32Array[];
  /** Gradients of the trainable parameters by name; null where there are none. */
  readonly gradients: Map<string, Float32Array> | null;
}

/**
 * Runs a policy over a batch. `losses` records what is wanted beside the logits; the sum of all
 * recorded losses is what the gradients belong to.
 */
export async function runPass(
  parameters: Parameters,
  batch: TokenBatch,
  losses: (inputs: PassInputs) => readonly Tensor[] = () => [],
): Promise<Pass> {
  const { gpu, config, gradients } = parameters;
  const tokens = new TokenTensors(gpu, config, batch.rows, batch.length);
  const rope = config.positions === "rope" ? ropeTable(gpu, config) : null;
  const tape = new Tape(gpu, "verification");
  const logitsOf = (policy: Parameters) =>
    languageModelHead(tape, policy, transformer(tape, policy, tokens, { rope }));
  try {
    tokens.upload(batch, { weightScale: 1 / (totalWeight(batch) || 1) });
    if (gradients) tape.clear(gradients);
    const logits = logitsOf(parameters);
    const values = losses({
      tape,
      logits,
      tokens,
      frozen: (other) => tape.noGrad(() => logitsOf(other)),
    });
    if (values.length > 0) tape.backward();
    for (const tensor of [logits, ...values]) tape.keep(tensor);
    tape.run();
    const read = await readTensors(gpu, [logits, ...values, ...(gradients ? [gradients] : [])]);
    const floats = read as Float32Array[];
    return {
      logits: floats[0],
      values: floats.slice(1, 1 + values.length),
      gradients: gradients ? parameters.split(floats.at(-1)!) : null,
    };
  } finally {
    tape.destroy();
    tokens.destroy();
    rope?.place.buffer?.destroy();
  }
}

/** One row of tokens with nothing to learn. */
export function unlabelled(ids: readonly number[]): TokenBatch {
  const length = ids.length;
  return {
    rows: 1,
    length,
    ids: Uint32Array.from(ids),
    targets: new Uint32Array(length).fill(NO_TARGET),
    weights: new Float32Array(length),
    positions: Uint32Array.from(ids, (_, i) => i),
    starts: new Uint32Array(length),
  };
}

/** Sum in float64. */
export function total(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
