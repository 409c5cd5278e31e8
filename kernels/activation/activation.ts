/**
 * Elementwise activations: GELU (tanh and exact), SiLU, and SwiGLU over a fused [gate | up] row.
 */
import { InputError } from "../errors.ts";
import { readingKernel } from "../gpu/reading.ts";
import { linearGroups, type Tape } from "../gpu/tape.ts";
import type { DType, Tensor } from "../gpu/tensor.ts";
import { passGrad } from "../residual/add.ts";
import forwardCode from "./activation.wgsl" with { type: "text" };
import backwardCode from "./activation_backward.wgsl" with { type: "text" };
import functions from "./functions.wgsl" with { type: "text" };

/** Numbers of the activation functions in the shaders. */
export const ACTIVATIONS = { identity: 0, gelu_tanh: 1, gelu_erf: 2, silu: 3, swiglu: 4 } as const;

/** Name of an activation function. */
export type Activation = keyof typeof ACTIVATIONS;

/** WGSL of all activation functions, for kernels that apply one in their epilogue. */
export const ACTIVATION_FUNCTIONS: string = functions;

const forward = readingKernel("activation", forwardCode, ["x"], { FUNCTIONS: functions });
const backward = readingKernel("activation_backward", backwardCode, ["x", "d_y"], {
  FUNCTIONS: functions,
});

/**
 * y = act(x), [rows, columns]; for SwiGLU x is [rows, 2 columns] and columns must be a multiple of 4.
 * @throws {InputError} when a SwiGLU row cannot be split.
 */
export function activation(
  tape: Tape,
  x: Tensor,
  kind: Activation,
  dtype: DType = "f32",
): Tensor {
  const swiglu = kind === "swiglu";
  if (swiglu && x.columns % 8 !== 0) {
    throw new InputError(`SwiGLU input ${x.name} [${x.shape}]: columns must be a multiple of 8`);
  }
  const y = tape.tensor(`${x.name}.${kind}`, [x.rows, swiglu ? x.columns / 2 : x.columns], dtype);
  const uniforms = { rows: x.rows, columns4: y.stride / 4, x_stride4: x.stride / 4 };
  const overrides = { KIND: ACTIVATIONS[kind] };
  const groups = linearGroups(y.stored / 4, 64);
  tape.dispatch({
    ...forward(tape, { x, y }, { X: x, Y: y }),
    uniforms,
    overrides,
    groups,
  });
  y.needsGrad = x.needsGrad;
  if (!x.needsGrad) return y;
  tape.onBackward(() => {
    const d_x = tape.tensor(`d_${x.name}`, x.shape);
    tape.dispatch({
      ...backward(tape, { x, d_y: y.grad!, d_x }, { X: x }),
      uniforms,
      overrides,
      groups,
    });
    passGrad(tape, x, d_x);
  });
  return y;
}
