/**
 * Heads that read a policy's hidden states: a reward, a value, a class.
 *
 * They are parameters beside the transformer's (`ParameterOptions.extra`), under the names that model files use, so that they load
 * from a file, train with or without the policy, and are saved again. A sequence is judged by its last token, the only one that
 * has seen all of it.
 */
import { gatherRows } from "../embedding/gather_rows.ts";
import { InputError } from "../errors.ts";
import type { Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { dotRows } from "../matmul/dot_rows.ts";
import { linear } from "../matmul/linear.ts";
import type { PolicyConfig } from "./config.ts";
import type { Parameters } from "./parameters.ts";
import { type StoredSpec, storedSpec } from "./storage.ts";

/** A head's parameter as a model file holds it. */
export interface HeadTensor {
  /** `[rows, columns]` or `[length]`. */
  readonly shape: readonly number[];
  /** Its values, row by row. */
  readonly data: Float32Array;
}

/** `score.weight` [outputs, width]: a reward (one output), or the classes of a classifier. */
export function scoreHeadSpecs({ width }: PolicyConfig, outputs = 1): StoredSpec[] {
  return [storedSpec({ name: "score.weight", shape: [outputs, width] }, null, null)];
}

/** `NAME.weight` [1, width] and `NAME.bias` [1]; NAME is `v_head` or `value_head` in files. */
export function valueHeadSpecs({ width }: PolicyConfig, name = "v_head"): StoredSpec[] {
  return [
    storedSpec({ name: `${name}.weight`, shape: [1, width] }, null, null),
    storedSpec({ name: `${name}.bias`, shape: [1] }, null, null),
  ];
}

/** The parameters of heads that came with a model file, by their names there. */
export function headSpecsOf(
  heads: ReadonlyMap<string, { shape: readonly number[] }>,
): StoredSpec[] {
  return Array.from(heads, ([name, { shape }]) => storedSpec({ name, shape }, null, null));
}

/** The values of `specs` among a policy's parameters, as a model file takes them. */
export async function readHeads(
  parameters: Parameters,
  specs: readonly StoredSpec[],
): Promise<Map<string, HeadTensor>> {
  const all = await parameters.read();
  return new Map(specs.map(({ name, shape }) => {
    const data = all.get(name);
    if (!data) throw new InputError(`this policy has no head parameter ${name}`);
    return [name, { shape, data }];
  }));
}

/**
 * Rewards s_b = `score.weight` . h[lastRows[b]], a vector [sequences], for hidden states h [tokens, width] and u32 lastRows
 * [sequences]: the row of each sequence's last token, all distinct.
 */
export function rewardHead(
  tape: Tape,
  parameters: Parameters,
  hidden: Tensor,
  lastRows: Tensor,
): Tensor {
  const last = gatherRows(tape, hidden, lastRows);
  return dotRows(tape, last, parameters.get("score.weight"), null);
}

/** Values v_t = w . h_t + b of all tokens, a vector [tokens], for hidden states h [tokens, width]. */
export function valueHead(
  tape: Tape,
  parameters: Parameters,
  hidden: Tensor,
  name = "v_head",
): Tensor {
  return dotRows(tape, hidden, parameters.get(`${name}.weight`), parameters.find(`${name}.bias`));
}

/** Class logits [sequences, classes] = h[lastRows] W^T with W = `score.weight`; `crossEntropy` is their loss. */
export function classifierHead(
  tape: Tape,
  parameters: Parameters,
  hidden: Tensor,
  lastRows: Tensor,
): Tensor {
  const last = gatherRows(tape, hidden, lastRows);
  return linear(tape, last, parameters.get("score.weight"), { name: "class logits" });
}

/**
 * Rows of the last tokens of right-padded sequences of `length` places, from their token counts.
 * @throws {InputError} on an empty or overlong one.
 */
export function lastTokenRows(counts: readonly number[], length: number): Uint32Array {
  return Uint32Array.from(counts, (count, row) => {
    if (!Number.isSafeInteger(count) || count < 1 || count > length) {
      throw new InputError(`sequence ${row} must have 1 to ${length} tokens, has ${count}`);
    }
    return row * length + count - 1;
  });
}
