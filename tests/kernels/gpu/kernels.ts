/**
 * Two kernels small enough to predict by heart, for tests of the machinery rather than of arithmetic.
 */
import { defineKernel, type Kernel } from "../../../kernels/gpu/kernel.ts";
import type { Tape } from "../../../kernels/gpu/tape.ts";
import type { Tensor } from "../../../kernels/gpu/tensor.ts";

const body = (access: string, statement: string) => `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, ${access}> y: array<f32>;
struct Shape { length: u32 }
@group(0) @binding(2) var<uniform> shape: Shape;
override FACTOR: f32;
@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < shape.length) { ${statement} }
}`;

/** y = FACTOR x */
export const SCALE: Kernel = defineKernel(
  "scale",
  body("read_write", "y[id.x] = FACTOR * x[id.x];"),
);
/** y += FACTOR x */
export const ADD_SCALED: Kernel = defineKernel(
  "add_scaled",
  body("read_write", "y[id.x] += FACTOR * x[id.x];"),
);
/** Does not compile: a type error that only the device can see. */
export const INVALID: Kernel = defineKernel(
  "invalid_kernel",
  body("read_write", "y[id.x] = vec4f(1.0);"),
);

/** Records `kernel` on vectors. */
export function launch(tape: Tape, kernel: Kernel, x: Tensor, y: Tensor, FACTOR: number): Tensor {
  const length = x.columns;
  const groups = [Math.ceil(length / 8)] as const;
  tape.dispatch({
    kernel,
    bindings: { x, y },
    uniforms: { length },
    overrides: { FACTOR },
    groups,
    flops: kernel === SCALE ? length : undefined,
  });
  return y;
}

/** A new vector FACTOR x on the tape. */
export function scaled(tape: Tape, x: Tensor, FACTOR: number): Tensor {
  return launch(tape, SCALE, x, tape.tensor(`${FACTOR} ${x.name}`, x.shape), FACTOR);
}
