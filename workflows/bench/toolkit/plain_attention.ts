/**
 * Attention the plain way: scores, softmax and values one after the other, with matrices of length x length in memory. Training uses
 * the fused kernels of `kernels/attention`; this is what they are measured against and checked with.
 *
 * It is put together from other rooms: rows are gathered head by head, products run in batches, and the mask is added to the scores.
 */
import type { BatchShape } from "../../../kernels/attention/attention.ts";
import { InputError } from "../../../kernels/errors.ts";
import { embedding } from "../../../kernels/embedding/embedding.ts";
import type { Tape } from "../../../kernels/gpu/tape.ts";
import { persistent, Tensor, upload } from "../../../kernels/gpu/tensor.ts";
import { matmul } from "../../../kernels/matmul/matmul.ts";
import type { PolicyConfig } from "../../../kernels/policy/config.ts";
import { softmax } from "../../../kernels/softmax/softmax.ts";

/** Weighs nothing after the softmax, and stays finite. */
const MASKED = -1e38;
/** Rows after which a part of a tensor begins where WebGPU can bind it: 256 bytes for any head size. */
const ALIGNED_ROWS = 16;

/** The result, and what was made beside it and is to be freed. */
export interface PlainAttention {
  /** [rows * length, heads * headDim]. */
  readonly out: Tensor;
  /** Persistent tensors. */
  readonly held: readonly Tensor[];
}

/**
 * The same as `attention` for policies with as many key as query heads of a multiple of 4 values, where every token sees itself.
 * @param qkv [rows * length, 3 heads * headDim]; its gradient is assigned.
 * @param starts Index inside the row of the first key each token sees; null lets every token see all of its row, which is no
 * attention that is trained, but shows what the mask costs.
 * @throws {InputError} for other policies.
 */
export function plainAttention(
  tape: Tape,
  qkv: Tensor,
  starts: Uint32Array | null,
  { rows, length }: BatchShape,
  { heads, kvHeads, headDim }: PolicyConfig,
): PlainAttention {
  if (kvHeads !== heads || headDim % 4 !== 0) {
    throw new InputError("plain attention wants as many key as query heads, of 4, 8, 12... values");
  }
  const batch = rows * heads;
  const count = batch * length;
  const part = Math.ceil(count / ALIGNED_ROWS) * ALIGNED_ROWS;
  const scale = 1 / Math.sqrt(headDim);
  const held: Tensor[] = [];
  const given = <T extends Float32Array | Uint32Array>(
    name: string,
    shape: number[],
    values: T,
  ) => {
    const tensor = persistent(tape.gpu, name, shape, values instanceof Uint32Array ? "u32" : "f32");
    upload(tape.gpu, tensor, values);
    held.push(tensor);
    return tensor;
  };
  // Row (sequence, head, token) of each part, and where it lies in the fused rows: token after token, head after head.
  const fused = (i: number, columns: number, first: number) => {
    const [t, pair] = [i % length, Math.floor(i / length)];
    return (Math.floor(pair / heads) * length + t) * columns + first + pair % heads;
  };
  const splitOrder = new Uint32Array(3 * part);
  const joinOrder = new Uint32Array(3 * count);
  const [outSplit, outJoin] = [new Uint32Array(count), new Uint32Array(count)];
  for (let i = 0; i < count; i++) {
    for (let p = 0; p < 3; p++) {
      splitOrder[p * part + i] = fused(i, 3 * heads, p * heads);
      joinOrder[splitOrder[p * part + i]] = p * part + i;
    }
    outSplit[i] = fused(i, heads, 0);
    outJoin[outSplit[i]] = i;
  }
  const gathered = (x: Tensor, name: string, order: Uint32Array) => {
    const byHead = view(x, [x.stored / headDim, headDim]);
    const indices = given(name, [order.length], order);
    return tape.noGrad(() => embedding(tape, { table: byHead, indices }, null));
  };
  const parts = (x: Tensor) =>
    [0, 1, 2].map((p) => view(x, [count, headDim], 4 * p * part * headDim));

  const [q, k, v] = parts(gathered(qkv, "split", splitOrder));
  const mask = starts && given("mask", [count, length], maskOf(starts, rows, heads, length));
  const scores = matmul(tape, "nt", q, k, { batch, alpha: scale, residual: mask, name: "scores" });
  scores.needsGrad = qkv.needsGrad;
  tape.onBackward(() => {
    const [d_q, d_k] = parts(d_parts);
    matmul(tape, "nn", scores.grad!, k, { batch, alpha: scale, out: d_q });
    matmul(tape, "tn", scores.grad!, q, { batch, alpha: scale, out: d_k });
    qkv.grad = view(gathered(d_parts, "join", joinOrder), qkv.shape);
  });
  const probabilities = softmax(tape, scores);
  const values = matmul(tape, "nn", probabilities, v, { batch, name: "values" });
  const out = view(gathered(values, "out join", outJoin), [rows * length, heads * headDim]);
  out.needsGrad = qkv.needsGrad;
  const d_parts = tape.tensor("d_parts", [3 * part, headDim]);
  tape.onBackward(() => {
    const d_values = gathered(out.grad!, "out split", outSplit);
    probabilities.grad = matmul(tape, "nt", d_values, v, { batch, name: "d_probabilities" });
    matmul(tape, "tn", probabilities, d_values, { batch, out: parts(d_parts)[2] });
  });
  return { out, held };
}

/** The same memory, or the part of it that begins `offset` bytes further, in another shape. */
function view(
  { name, dtype, place, offset }: Tensor,
  shape: readonly number[],
  further = 0,
): Tensor {
  return new Tensor(name, shape, dtype, place, offset + further);
}

/** 0 where token t of a sequence sees key j, for every head alike. */
function maskOf(starts: Uint32Array, rows: number, heads: number, length: number): Float32Array {
  const mask = new Float32Array(rows * heads * length * length).fill(MASKED);
  for (let row = 0; row < rows * heads; row++) {
    for (let t = 0; t < length; t++) {
      const start = starts[Math.floor(row / heads) * length + t];
      mask.fill(0, (row * length + t) * length + start, (row * length + t) * length + t + 1);
    }
  }
  return mask;
}
