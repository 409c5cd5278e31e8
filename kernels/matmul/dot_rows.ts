/**
 * A linear layer with a single output: one number per row, as rewards and values are.
 *
 * `linear` would give a matrix [rows, 1], which is stored four times as large; losses take vectors [rows].
 */
import { InputError } from "../errors.ts";
import { elementKernel } from "../gpu/elements.ts";
import type { Tape } from "../gpu/tape.ts";
import { Tensor } from "../gpu/tensor.ts";
import { ROW_FUNCTIONS, rowLaunch } from "../reduce/rows.ts";
import { sumInto } from "../reduce/sum.ts";
import code from "./dot_rows.wgsl" with { type: "text" };
import backwardCode from "./dot_rows_backward.wgsl" with { type: "text" };
import { matmul } from "./matmul.ts";

const forward = elementKernel("dot_rows", code, { ROW_FUNCTIONS });
const backward = elementKernel("dot_rows_backward", backwardCode, { ROW_FUNCTIONS });

/**
 * y_i = weight . x_i + bias, a vector [rows], for x [rows, columns], weight [1, columns] and bias [1] or null.
 * @throws {InputError} when weight or bias do not have these shapes.
 */
export function dotRows(tape: Tape, x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  if (weight.rows !== 1 || weight.columns !== x.columns || (bias && bias.stride !== 1)) {
    const found = bias ? `[${weight.shape}] and [${bias.shape}]` : `[${weight.shape}]`;
    throw new InputError(
      `dotRows of ${x.name} [${x.shape}]: ${weight.name} must be [1, ${x.columns}] and its bias [1], found ${found}`,
    );
  }
  const y = tape.tensor(`${x.name}.${weight.name}`, [x.rows]);
  const { overrides, groups, loops } = rowLaunch(tape.gpu, x);
  tape.dispatch({
    kernel: forward({ X: x }),
    bindings: { x, weight, bias: bias ?? weight, y },
    uniforms: { rows: x.rows, stride4: x.stride / 4 },
    overrides: { ...overrides, HAS_BIAS: Number(bias !== null) },
    groups,
    loops: loops + 8,
    flops: 2 * x.rows * x.columns,
  });
  y.needsGrad = [x, weight, bias].some((t) => t?.needsGrad);
  if (!y.needsGrad) return y;
  tape.onBackward(() => {
    const d_y = y.grad!;
    if (bias?.needsGrad) sumInto(tape, d_y, bias.grad!, 0, { accumulate: true });
    if (weight.needsGrad) {
      tape.dispatch({
        kernel: backward({ X: x }),
        bindings: { x, d_y, d_weight: weight.grad! },
        uniforms: { rows: x.rows, stride4: x.stride / 4 },
        overrides,
        groups: [x.stride / 4],
        loops: Math.ceil(x.rows / overrides.LANES) + 8,
        flops: 2 * x.rows * x.columns,
      });
    }
    if (x.needsGrad) {
      // The outer product d_y weight^T, with the vector as a matrix of one row.
      const row = new Tensor(d_y.name, [1, x.rows], "f32", d_y.place, d_y.offset);
      x.grad = matmul(tape, "tn", row, weight, { residual: x.grad, name: `d_${x.name}` });
    }
  });
  return y;
}
