/**
 * Softmax and its logarithm over the rows of a matrix.
 *
 * Losses do not use these: they go from logits to gradients without storing probabilities. They are for whoever needs the distribution itself.
 */
import { defineKernel } from "../gpu/kernel.ts";
import type { Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { ROW_FUNCTIONS, rowLaunch } from "../reduce/rows.ts";
import online from "./online.wgsl" with { type: "text" };
import forwardCode from "./softmax.wgsl" with { type: "text" };
import backwardCode from "./softmax_backward.wgsl" with { type: "text" };

/** WGSL of the one-pass maximum and sum of exponentials of a row; needs `ROW_FUNCTIONS`. */
export const ONLINE_FUNCTIONS: string = online;

const forward = defineKernel("softmax", forwardCode, { ROW_FUNCTIONS, ONLINE: online });
const backward = defineKernel("softmax_backward", backwardCode, { ROW_FUNCTIONS });

/** y = exp(x) / sum exp(x) per row; x, y [rows, columns]. Logits below -1e38 count as -1e38. */
export function softmax(tape: Tape, x: Tensor): Tensor {
  return record(tape, x, "softmax", 0);
}

/** y = x - log sum exp(x) per row; x, y [rows, columns]. Logits below -1e38 count as -1e38. */
export function logSoftmax(tape: Tape, x: Tensor): Tensor {
  return record(tape, x, "log_softmax", 1);
}

function record(tape: Tape, x: Tensor, name: string, LOG: 0 | 1): Tensor {
  const y = tape.tensor(`${x.name}.${name}`, x.shape);
  const { overrides, groups, loops } = rowLaunch(tape.gpu, x);
  const uniforms = { rows: x.rows, columns: x.columns, columns4: Math.ceil(x.columns / 4) };
  tape.dispatch({
    kernel: forward,
    bindings: { x, y },
    uniforms,
    overrides: { ...overrides, LOG },
    groups,
    loops: 2 * loops + 16,
    flops: 8 * x.rows * x.columns,
  });
  y.needsGrad = x.needsGrad;
  if (!x.needsGrad) return y;
  tape.onBackward(() => {
    const d_x = tape.tensor(`d_${x.name}`, x.shape);
    const previous = x.grad;
    tape.dispatch({
      kernel: backward,
      // Without a previous gradient the shader never looks at that binding.
      bindings: { y, d_y: y.grad!, previous: previous ?? y, d_x },
      uniforms,
      overrides: { ...overrides, LOG, ACCUMULATE: Number(previous !== null) },
      groups,
      loops: 2 * loops + 8,
      flops: 6 * x.rows * x.columns,
    });
    x.grad = d_x;
  });
  return y;
}
