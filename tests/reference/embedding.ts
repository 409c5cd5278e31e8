/**
 * A table looked up by id: the forward pass gathers rows, the backward pass adds each row's gradient to the row it
 * came from. Token embeddings and learned positions are the same operation.
 */
import type { Numbers } from "./numbers.ts";

/** y [ids, width]: row ids[i] of the table [*, width]. */
export function embed(table: Numbers, ids: Numbers, width: number): Float64Array {
  const y = new Float64Array(ids.length * width);
  for (let i = 0; i < y.length; i++) y[i] = table[ids[Math.floor(i / width)] * width + i % width];
  return y;
}

/** d_table [tableRows, width]: the sum of d_y over all places that read the row. */
export function embedBackward(
  ids: Numbers,
  d_y: Numbers,
  tableRows: number,
  width: number,
): Float64Array {
  const d_table = new Float64Array(tableRows * width);
  for (let i = 0; i < d_y.length; i++) {
    d_table[ids[Math.floor(i / width)] * width + i % width] += d_y[i];
  }
  return d_table;
}
