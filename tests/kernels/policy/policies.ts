/**
 * What the policy tests share: tiny policies on the GPU, batches that are awkward in every way, and named gradients.
 */
import { readFloats } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import type { Tensor } from "../../../kernels/gpu/tensor.ts";
import { TokenTensors } from "../../../kernels/policy/batch.ts";
import type { PolicyConfig } from "../../../kernels/policy/config.ts";
import type { Parameters } from "../../../kernels/policy/parameters.ts";
import { transformer, type TransformerOptions } from "../../../kernels/policy/transformer.ts";
import { ropeTable } from "../../../kernels/rope/rope.ts";
import { NO_TARGET, type TokenBatch } from "../../../workflows/data/batch.ts";
import { assert } from "../../assert.ts";
import { randomIntegers } from "../../reference/random.ts";
import { relativeError } from "../harness.ts";

/**
 * Two rows of 13 places: in the first, two packed sequences of 7 and 4 tokens and 2 places of padding; in the second, one of 13
 * that starts at position 3. Some tokens have no target, weights differ.
 */
export function packedBatch(config: PolicyConfig, seed = 1): TokenBatch {
  const [rows, length] = [2, 13];
  const count = rows * length;
  const ids = randomIntegers(count, config.vocabSize, seed);
  const targets = randomIntegers(count, config.vocabSize, seed + 1);
  const positions = new Uint32Array(count);
  const starts = new Uint32Array(count);
  const weights = Float32Array.from({ length: count }, (_, i) => [1, 0.5, 2][i % 3]);
  for (let i = 0; i < length; i++) {
    const start = i < 7 ? 0 : i < 11 ? 7 : i;
    starts[i] = start;
    positions[i] = i - start;
    positions[length + i] = 3 + i;
  }
  for (const none of [4, 6, 10, 11, 12, length]) {
    targets[none] = NO_TARGET;
    weights[none] = 0;
  }
  return { rows, length, ids, targets, weights, positions, starts };
}

/** A recorded forward and backward pass over one batch, replayed over poisoned memory. */
export interface Pass {
  /** What `record` returned, read back. */
  readonly outputs: Float32Array[];
  /** By parameter name; empty where everything is frozen. */
  readonly gradients: Map<string, Float32Array>;
  readonly dispatches: number;
}

/** Records the transformer and then `record` on its hidden states, backward included, and runs it once. */
export async function runPolicy(
  parameters: Parameters,
  batch: TokenBatch,
  record: (tape: Tape, hidden: Tensor, tokens: TokenTensors) => readonly Tensor[],
  options: Partial<TransformerOptions> = {},
): Promise<Pass> {
  const { gpu, config, gradients } = parameters;
  const tokens = new TokenTensors(gpu, config, batch.rows, batch.length);
  tokens.upload(batch);
  const rope = config.positions === "rope" ? ropeTable(gpu, config) : null;
  const tape = new Tape(gpu, "policy");
  if (gradients) tape.clear(gradients);
  const outputs = record(tape, transformer(tape, parameters, tokens, { rope, ...options }), tokens);
  tape.backward();
  outputs.forEach((output) => tape.keep(output));
  tape.poison();
  tape.run();
  const values = [];
  for (const output of outputs) values.push(await readFloats(gpu, output));
  const named = gradients ? await parameters.read(gradients) : new Map<string, Float32Array>();
  const dispatches = tape.dispatchCount;
  tape.destroy();
  tokens.destroy();
  rope?.place.buffer?.destroy();
  return { outputs: values, gradients: named, dispatches };
}

/** Asserts a relative error below `limit` for every tensor that is expected. */
export function assertTensors(
  got: ReadonlyMap<string, ArrayLike<number>>,
  want: ReadonlyMap<string, ArrayLike<number>>,
  limit: number,
): void {
  for (const [name, values] of want) {
    const error = relativeError(got.get(name) ?? [], values);
    assert(error < limit, `${name}: relative error ${error}, limit ${limit}`);
  }
}
