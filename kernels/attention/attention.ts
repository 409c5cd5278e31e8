/**
 * Causal grouped-query attention over fused rows, without a length x length matrix (FlashAttention: Dao et al.,
 * arXiv:2205.14135; FlashAttention-2, arXiv:2307.08691, for the two-kernel backward).
 *
 * Forward keeps the maximum score and the sum of each softmax rather than the logarithm of that sum: beside a score of
 * 10,000 a float32 has no digits left for the logarithm, and the backward's probabilities would be off by 1e-3.
 *
 * The plain way (`bench/toolkit/plain_attention.ts`: scores, masked softmax and values one after the other) checks this one, and was
 * measured beside it for the choice. Its processor time over this one's on llvmpipe (LLVM 15, 2 shared cores, 2026-11-21, medians of 7
 * interleaved rounds; 1024 tokens, 4 heads), forward and with backward, and the MiB of both tapes with backward:
 *
 *     length     headDim 32                     headDim 64
 *         64     6.1   3.3     4.2 against 10   3.5   1.8     8.2 against 15
 *        128     4.3   2.7     4.2 against 14   3.0   1.6     8.2 against 19
 *        256     4.3   2.5     4.2 against 22   2.6   1.3     8.2 against 27
 *        512     3.9   2.4     4.2 against 38   2.2   1.2     8.2 against 43
 */
import { linearGroups, type Tape } from "../gpu/tape.ts";
import type { DType, Tensor } from "../gpu/tensor.ts";
import type { PolicyConfig } from "../policy/config.ts";
import { attentionKernels, type AttentionSchedule } from "./kernels.ts";
import { type BatchShape, checkFused, checkIndices, headSizes } from "./layout.ts";

export type { BatchShape } from "./layout.ts";

/**
 * out_t = sum_j softmax_j(q_t k_j / sqrt(headDim)) v_j over the keys j = starts[t] .. t of t's own row.
 *
 * A token whose start lies behind it (padding) sees nothing and gets zeros. In backward `qkv.grad` is assigned,
 * so nothing else may read `qkv` (a rotation works on that gradient in place).
 *
 * @example Two tokens, one head: the second token looks at both
 * ```ts
 * import {
 *   attention,
 *   llamaConfig,
 *   openGpu,
 *   persistent,
 *   readFloats,
 *   Tape,
 *   upload,
 * } from "@infant/toolkit/kernels";
 *
 * const gpu = await openGpu();
 * const config = llamaConfig({ vocabSize: 8, context: 8, layers: 1, width: 4, heads: 1 });
 * const qkv = persistent(gpu, "qkv", [2, 12]); // query, key and value of each token
 * const row = (value: number) => [0, 0, 0, 0, 0, 0, 0, 0, value, value, value, value];
 * upload(gpu, qkv, Float32Array.of(...row(1), ...row(3)));
 * const starts = persistent(gpu, "starts", [2], "u32"); // zeros: all of the row is visible
 *
 * const tape = new Tape(gpu, "attention");
 * const out = tape.keep(attention(tape, qkv, starts, { rows: 1, length: 2 }, config, 4));
 * tape.run();
 * console.log(await readFloats(gpu, out)); // 1 1 1 1, then the mean 2 2 2 2
 * gpu.close();
 * ```
 * @param qkv [rows * length, (heads + 2 kvHeads) * headStride], heads padded with zeros to `headStride`.
 * @param starts u32 [rows * length], index inside the row of the first key each token sees.
 * @param schedule only for tests and benchmarks; by default the adapter's.
 * @param dtype element type of the result; f32 where absent.
 * @returns [rows * length, heads * headStride].
 * @throws {InputError} when a shape does not fit the policy.
 */
export function attention(
  tape: Tape,
  qkv: Tensor,
  starts: Tensor,
  shape: BatchShape,
  config: PolicyConfig,
  headStride: number,
  schedule?: AttentionSchedule,
  dtype: DType = "f32",
): Tensor {
  const { rows, length } = shape;
  const { heads, kvHeads, headDim } = config;
  const tokens = rows * length;
  checkFused(qkv, tokens, config, headStride);
  checkIndices(starts, tokens);
  const kernels = attentionKernels(tape.gpu, headDim, headStride, schedule);
  const { size, sameHead, textures, forward, queries, keys } = kernels.schedule;
  const operand = (tensor: Tensor) => textures ? tape.mirror(tensor) : tensor;
  const sizes = { rows, length, ...headSizes(config, headStride) };
  const overrides = { SAME_HEAD: Number(sameHead) };
  const groups = (pairs: number, block: number) =>
    linearGroups(pairs * Math.ceil(length / block), size);
  const product = rows * heads * headDim * length * (length + 1);

  const out = tape.tensor(`${qkv.name}.attention`, [tokens, heads * headStride], dtype);
  const stats = tape.tensor(`${qkv.name}.stats`, [tokens, heads * 4]);
  const stride4 = qkv.stride / 4;
  const read = operand(qkv);
  tape.dispatch({
    kernel: kernels.forward({ OUT: out }),
    bindings: { queries: read, keys: read, starts, cursor: starts, out, stats },
    uniforms: { ...sizes, cached: 0, capacity: length, q_stride4: stride4, kv_stride4: stride4 },
    overrides,
    groups: groups(rows * heads, forward),
    loops: length,
    flops: 2 * product,
  });
  out.needsGrad = qkv.needsGrad;
  if (!qkv.needsGrad) return out;

  tape.onBackward(() => {
    const d_out = out.grad!;
    const d_qkv = tape.tensor(`d_${qkv.name}`, qkv.shape);
    const uniforms = { ...sizes, stride4 };
    const given = { qkv: operand(qkv), d_out: operand(d_out) };
    tape.dispatch({
      kernel: kernels.backwardQueries({ OUT: out }),
      bindings: { ...given, out, stats, d_qkv },
      uniforms,
      overrides,
      groups: groups(rows * heads, queries),
      loops: length,
      flops: 3 * product,
    });
    tape.dispatch({
      kernel: kernels.backwardKeys,
      bindings: { ...given, stats: operand(stats), d_qkv },
      uniforms,
      overrides,
      groups: groups(rows * kvHeads, keys),
      loops: length * (1 + sizes.group),
      flops: 4 * product,
    });
    qkv.grad = d_qkv;
  });
  return out;
}
