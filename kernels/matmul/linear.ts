/**
 * The linear layer, forward and backward: three matrix products, with bias and residual in the first one's epilogue and the bias's
 * gradient beside the third.
 */
import type { Tape } from "../gpu/tape.ts";
import type { DType, Tensor } from "../gpu/tensor.ts";
import { columnSum } from "../reduce/sum.ts";
import { rowsOf, rowWindows } from "../reduce/windows.ts";
import { passGrad } from "../residual/add.ts";
import { matmul } from "./matmul.ts";
import { inTexture, scheduleFor } from "./schedules.ts";

/** What a linear layer may add to its product. */
export interface LinearOptions {
  /** Vector [out]. */
  readonly bias?: Tensor | null;
  /** Added to the result; its gradient is the result's. */
  readonly residual?: Tensor | null;
  /** Element type of the result; f32 where absent. */
  readonly dtype?: DType;
  /** Name of the result's tensor. */
  readonly name?: string;
  /** Where the gradient of x goes, instead of a new tensor; x must not have one yet. */
  readonly d_x?: Tensor;
}

/**
 * y = x W^T + bias + residual. x is [rows, in], W is [out, in], y is [rows, out].
 * A weight that is too large for one binding (a vocabulary of 50,000 at width 768) is read in windows of rows.
 */
export function linear(tape: Tape, x: Tensor, weight: Tensor, options: LinearOptions = {}): Tensor {
  const { bias = null, residual = null, dtype, name } = options;
  const y = tape.tensor(name ?? `${x.name}*${weight.name}`, [x.rows, weight.rows], dtype);
  for (const { start, tensor } of rowWindows(tape.gpu, weight)) {
    matmul(tape, "nt", x, tensor, {
      bias: bias && rowsOf(bias, start, tensor.rows),
      residual,
      out: y,
      cColumn: start,
      n: tensor.rows,
    });
  }
  y.needsGrad = [x, weight, bias, residual].some((t) => t?.needsGrad);
  if (y.needsGrad) tape.onBackward(() => linearBackward(tape, x, weight, options, y.grad!));
  return y;
}

function linearBackward(
  tape: Tape,
  x: Tensor,
  weight: Tensor,
  { bias = null, residual = null, d_x }: LinearOptions,
  d_y: Tensor,
): void {
  if (residual?.needsGrad) passGrad(tape, residual, d_y);
  if (bias?.needsGrad && !weight.needsGrad) columnSum(tape, d_y, bias.grad!, { accumulate: true });
  const windows = rowWindows(tape.gpu, weight);
  const used = [
    d_y,
    ...(weight.needsGrad ? [x] : []),
    ...(x.needsGrad ? windows.map(({ tensor }) => tensor) : []),
  ];
  const operand = mirrored(tape, used, Math.min(x.rows, x.columns, weight.rows));
  let sum: Tensor | null = null;
  for (const { start, tensor } of windows) {
    if (weight.needsGrad) {
      const sums = bias?.needsGrad ? rowsOf(bias.grad!, start, tensor.rows) : null;
      matmul(tape, "tn", operand(d_y), operand(x), {
        aColumn: start,
        m: tensor.rows,
        out: tensor.grad!,
        accumulate: true,
        columnSums: sums,
      });
    }
    if (x.needsGrad) {
      sum = matmul(tape, "nn", operand(d_y), operand(tensor), {
        aColumn: start,
        k: tensor.rows,
        ...(sum ? { out: sum, accumulate: true } : { residual: x.grad, out: d_x }),
        name: `d_${x.name}`,
      });
    }
  }
  if (sum) x.grad = sum;
}

/** Copies what several products read into textures at once, where products of this size read textures. */
function mirrored(
  tape: Tape,
  tensors: readonly Tensor[],
  smallest: number,
): (tensor: Tensor) => Tensor {
  if (scheduleFor(tape.gpu, tensors, smallest) !== "textures") return (tensor) => tensor;
  const mirrors = new Map(tensors.map((tensor) => [tensor, inTexture(tape, tensor)]));
  return (tensor) => mirrors.get(tensor)!;
}
