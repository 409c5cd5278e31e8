/**
 * Rotary rows of llama2.c and of Llama's GGUF files, which pair dimension 2i with 2i+1.
 *
 * The toolkit (and Hugging Face) pairs i with i + d/2. Attention scores do not change when the rows
 * of queries and keys move together, so a row permutation inside each head turns one into the
 * other.
 */

/**
 * Rotate-half row order of an interleaved matrix.
 * @param rows Interleaved rows, [heads * headDim, columns] (columns 1 for a bias).
 * @returns The same rows, row h*d + part*d/2 + i taken from h*d + 2i + part.
 */
export function toRotateHalf(rows: Float32Array, headDim: number, columns: number): Float32Array {
  const out = new Float32Array(rows.length);
  const half = headDim / 2;
  const heads = rows.length / (headDim * columns);
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < headDim; i++) {
      const from = (head * headDim + 2 * (i % half) + Math.floor(i / half)) * columns;
      out.set(rows.subarray(from, from + columns), (head * headDim + i) * columns);
    }
  }
  return out;
}
