/**
 * Packed rows to the arrays that the kernels read (`batch.ts`).
 */
import { InputError } from "../../../kernels/errors.ts";
import { NO_TARGET, type TokenBatch, type TokenExample } from "../batch.ts";
import type { PackedRow } from "./pack.ts";

/**
 * Writes rows into a batch, padded on the right. Position i predicts the next token of its own example, with
 * that token's weight; an example's last token predicts nothing. Padding sees only itself.
 * @param padId any valid id; it is never learned.
 */
export function assembleBatch(rows: readonly PackedRow[], length: number, padId = 0): TokenBatch {
  const size = rows.length * length;
  const ids = new Uint32Array(size).fill(padId);
  const targets = new Uint32Array(size).fill(NO_TARGET);
  const weights = new Float32Array(size);
  const positions = new Uint32Array(size);
  const starts = new Uint32Array(size);
  rows.forEach((row, r) => {
    let at = 0;
    for (const { example, from, to } of row) {
      if (at + to - from > length) throw new InputError(`a packed row exceeds ${length} tokens`);
      const start = at;
      for (let i = from; i < to; i++, at++) {
        const place = r * length + at;
        ids[place] = example.ids[i];
        positions[place] = at - start;
        starts[place] = start;
        if (i + 1 < example.ids.length) {
          targets[place] = example.ids[i + 1];
          weights[place] = example.weights[i + 1];
        }
      }
    }
    for (; at < length; at++) starts[r * length + at] = at;
  });
  return { rows: rows.length, length, ids, targets, weights, positions, starts };
}

/** A batch with one example a row, for losses over whole replies (row r is example r). */
export function padBatch(
  examples: readonly TokenExample[],
  length: number,
  padId = 0,
): TokenBatch {
  const tooLong = examples.find((example) => example.ids.length > length);
  if (tooLong) {
    throw new InputError(
      `an example of ${tooLong.ids.length} tokens does not fit a row of ${length}; lower maxLength`,
    );
  }
  return assembleBatch(
    examples.map((example) => [{ example, from: 0, to: example.ids.length }]),
    length,
    padId,
  );
}

/**
 * Sum of the weights of a batch: what its summed loss is to be divided by. Under gradient accumulation the
 * divisor is the total over all micro-batches, else batches with few learned tokens count too much.
 */
export function totalWeight(batch: TokenBatch): number {
  let sum = 0;
  for (const weight of batch.weights) sum += weight;
  return sum;
}

/** Sum of a batch's weights of the KL term: its loss weights, where it has no others. */
export function totalKlWeight(batch: TokenBatch): number {
  return (batch.klWeights ?? batch.weights).reduce((sum, weight) => sum + weight, 0);
}
