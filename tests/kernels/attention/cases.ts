/**
 * Attention inputs for tests: policies, rows that are packed or padded, heads padded to their stride, and
 * the float64 answer.
 */
import type { Tensor } from "../../../kernels/gpu/tensor.ts";
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { headStrideOf } from "../../../kernels/attention/layout.ts";
import type { PolicyConfig } from "../../../kernels/policy/config.ts";
import {
  attention,
  attentionBackward,
  type AttentionShape,
  joinQkv,
  splitQkv,
} from "../../reference/attention.ts";
import { randomUniform } from "../../reference/random.ts";
import { randomValues, tensorOf } from "../harness.ts";

/** A policy of which only the attention matters. */
export function policyOf(
  { heads, kvHeads, headDim }: Pick<AttentionShape, "heads" | "kvHeads" | "headDim">,
  rope: Partial<Pick<PolicyConfig, "ropeDims" | "ropeTheta" | "context">> = {},
): PolicyConfig {
  return {
    family: "llama",
    vocabSize: 8,
    context: 256,
    layers: 1,
    width: heads * headDim,
    heads,
    kvHeads,
    headDim,
    mlpWidth: 8,
    norm: "rmsnorm",
    normEps: 1e-5,
    activation: "swiglu",
    positions: rope.ropeDims === 0 ? "learned" : "rope",
    ropeTheta: 10_000,
    ropeDims: headDim,
    parallelResidual: false,
    qkvBias: false,
    outBias: false,
    mlpBias: false,
    tiedHead: true,
    bosTokenId: null,
    eosTokenId: null,
    padTokenId: null,
    ...rope,
  };
}

/** How the tokens of a row see each other. */
export type Layout = "whole" | "packed" | "left-padded";

/** u32 [rows * length]: the first key each token sees; padding starts behind itself, so it sees nothing. */
export function startsOf(layout: Layout, rows: number, length: number, seed: number): Uint32Array {
  const starts = new Uint32Array(rows * length);
  for (let row = 0; row < rows; row++) {
    const padding = Math.floor(randomUniform(seed, 1, row) * length);
    for (let t = 0; t < length; t++) {
      const i = row * length + t;
      if (layout === "left-padded") starts[i] = padding;
      if (layout !== "packed" || t === 0) continue;
      starts[i] = randomUniform(seed, 2, i) < 0.2 ? t : starts[i - 1];
    }
  }
  return starts;
}

/** Rows of `heads` heads with zeros from headDim to headStride. */
export function padHeads(values: ArrayLike<number>, headDim: number, stride: number): Float64Array {
  const padded = new Float64Array(values.length / headDim * stride);
  for (let i = 0; i < values.length; i++) {
    padded[Math.floor(i / headDim) * stride + i % headDim] = values[i];
  }
  return padded;
}

/** Inputs on the host and the GPU, and the reference's answers in the padded layout. */
export interface Case {
  readonly shape: AttentionShape;
  readonly config: PolicyConfig;
  readonly headStride: number;
  readonly qkv: Tensor;
  readonly starts: Tensor;
  readonly d_out: Tensor;
  readonly want: { readonly out: Float64Array; readonly d_qkv: Float64Array };
}

/** Builds a case from fused values [tokens, (heads + 2 kvHeads) * headDim]. */
export function caseOf(
  gpu: Gpu,
  shape: AttentionShape,
  layout: Layout,
  seed: number,
  fused: Float64Array = randomValues(fusedCount(shape), seed, 2),
): Case {
  const { rows, length, heads, kvHeads, headDim } = shape;
  const config = policyOf(shape);
  const headStride = headStrideOf(config);
  const tokens = rows * length;
  const first = startsOf(layout, rows, length, seed);
  const d = randomValues(tokens * heads * headDim, seed + 1);
  const { q, k, v } = splitQkv(fused, shape);
  const { out } = attention(q, k, v, first, shape);
  const { d_q, d_k, d_v } = attentionBackward(q, k, v, first, d, shape);
  const pad = (values: Float64Array) => padHeads(values, headDim, headStride);
  const qkv = tensorOf(gpu, "qkv", [tokens, (heads + 2 * kvHeads) * headStride], pad(fused));
  qkv.needsGrad = true;
  return {
    shape,
    config,
    headStride,
    qkv,
    starts: tensorOf(gpu, "starts", [tokens], first, "u32"),
    d_out: tensorOf(gpu, "d_out", [tokens, heads * headStride], pad(d)),
    want: { out: pad(out), d_qkv: pad(joinQkv(d_q, d_k, d_v, shape)) },
  };
}

/** Values in the fused rows of a shape. */
export function fusedCount({ rows, length, heads, kvHeads, headDim }: AttentionShape): number {
  return rows * length * (heads + 2 * kvHeads) * headDim;
}

/** Frees a case's tensors. */
export function freeCase({ qkv, starts, d_out }: Case): void {
  for (const tensor of [qkv, starts, d_out]) tensor.place.buffer!.destroy();
}
