/**
 * LayerNorm and RMSNorm over the columns of a matrix, forward and backward.
 */
import { InputError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { defineKernel } from "../gpu/kernel.ts";
import { readingKernel } from "../gpu/reading.ts";
import { linearGroups, type Tape } from "../gpu/tape.ts";
import { type DType, dummyTensor, type Tensor } from "../gpu/tensor.ts";
import forwardCode from "./norm.wgsl" with { type: "text" };
import backwardCode from "./norm_backward.wgsl" with { type: "text" };
import sumCode from "./norm_backward_sum.wgsl" with { type: "text" };
import weightCode from "./norm_backward_weight.wgsl" with { type: "text" };

const forward = readingKernel("norm", forwardCode, ["x", "weight", "bias"]);
const backward = readingKernel("norm_backward", backwardCode, ["x", "weight", "d_y", "previous"]);
const backwardWeight = readingKernel("norm_backward_weight", weightCode, ["x", "d_y", "stats"]);
const backwardSum = defineKernel("norm_backward_sum", sumCode);

/**
 * Invocations that share a row, and a workgroup's invocations. On a software adapter eight rows in lock step need neither barrier nor
 * workgroup memory: 0.60 ms instead of 0.80 for 1,024 rows of 128, 1.2 instead of 1.8 with the backward pass. On a GPU two warps or one wave share a row.
 */
function rowSharing({ info }: Gpu): { readonly LANES: number; readonly SIZE: number } {
  return info.software ? { LANES: 1, SIZE: 8 } : { LANES: 64, SIZE: 64 };
}

/** Rows that one invocation sums in the first stage of a column sum. */
const CHUNK = 32;

/**
 * y = norm(x) * weight (+ bias): LayerNorm with a bias vector, RMSNorm without. x and y are [rows, columns].
 * @throws {InputError} when weight or bias do not have x's columns.
 */
export function norm(
  tape: Tape,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  eps: number,
  dtype: DType = "f32",
): Tensor {
  for (const vector of [weight, bias]) {
    if (vector && vector.columns !== x.columns) {
      throw new InputError(
        `norm: ${vector.name} [${vector.shape}] does not fit ${x.name} [${x.shape}]`,
      );
    }
  }
  const y = tape.tensor(`${x.name}.norm`, x.shape, dtype);
  const stats = tape.tensor(`${x.name}.stats`, [x.rows, 4]);
  const { LANES, SIZE } = rowSharing(tape.gpu);
  const overrides = { LANES, SIZE, RMS: Number(bias === null) };
  const uniforms = { rows: x.rows, columns: x.columns, stride4: x.stride / 4 };
  const groups = linearGroups(x.rows, SIZE / LANES);
  const loops = 3 * Math.ceil(x.stride / 4 / LANES) + 2 * LANES;
  tape.dispatch({
    ...forward(tape, { x, weight, bias: bias ?? weight, y, stats }, { Y: y }),
    uniforms: { ...uniforms, eps },
    overrides,
    groups,
    loops,
  });
  const trained = weight.needsGrad || (bias?.needsGrad ?? false);
  y.needsGrad = x.needsGrad || trained;
  if (!y.needsGrad) return y;
  tape.onBackward(() => {
    const d_y = y.grad!;
    if (trained) normBackwardWeight(tape, x, d_y, stats, weight, bias);
    if (!x.needsGrad) return;
    const d_x = tape.tensor(`d_${x.name}`, x.shape);
    const previous = x.grad ?? d_y;
    tape.dispatch({
      ...backward(tape, { x, weight, d_y, stats, previous, d_x }),
      uniforms: { ...uniforms, has_previous: Number(x.grad !== null) },
      overrides,
      groups,
      loops,
    });
    x.grad = d_x;
  });
  return y;
}

function normBackwardWeight(
  tape: Tape,
  x: Tensor,
  d_y: Tensor,
  stats: Tensor,
  weight: Tensor,
  bias: Tensor | null,
): void {
  const stride4 = x.stride / 4;
  const chunks = Math.ceil(x.rows / CHUNK);
  const partial = tape.tensor(`${x.name}.norm_partial`, [chunks, 2 * x.stride]);
  const gradOf = (vector: Tensor) =>
    vector.needsGrad ? vector.grad! : tape.tensor(`unused d_${vector.name}`, vector.shape);
  tape.dispatch({
    ...backwardWeight(tape, { x, d_y, stats, partial }),
    uniforms: { rows: x.rows, stride4, chunk: CHUNK, chunks },
    groups: linearGroups(chunks * stride4, 8),
    loops: CHUNK,
  });
  tape.dispatch({
    kernel: backwardSum,
    bindings: {
      partial,
      d_weight: gradOf(weight),
      d_bias: bias ? gradOf(bias) : dummyTensor(tape.gpu),
    },
    uniforms: { stride4, chunks },
    overrides: { RMS: Number(bias === null) },
    groups: [Math.ceil(stride4 / 8)],
    loops: chunks,
  });
}
