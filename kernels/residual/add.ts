/**
 * The residual sum, and how gradients that meet at one tensor are added.
 */
import { InputError } from "../errors.ts";
import { defineKernel } from "../gpu/kernel.ts";
import { linearGroups, type Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import code from "./add.wgsl" with { type: "text" };

const kernel = defineKernel("add", code);

/** y = a + b, elementwise. @throws {InputError} when the shapes differ. */
export function add(tape: Tape, a: Tensor, b: Tensor): Tensor {
  if (a.stored !== b.stored || a.columns !== b.columns) {
    throw new InputError(`add: ${a.name} [${a.shape}] and ${b.name} [${b.shape}] differ in shape`);
  }
  const y = tape.tensor(`${a.name}+${b.name}`, a.shape);
  const count4 = y.stored / 4;
  tape.dispatch({
    kernel,
    bindings: { a, b, y },
    uniforms: { count4 },
    groups: linearGroups(count4, 64),
  });
  y.needsGrad = a.needsGrad || b.needsGrad;
  if (y.needsGrad) {
    tape.onBackward(() => {
      if (a.needsGrad) passGrad(tape, a, y.grad!);
      if (b.needsGrad) passGrad(tape, b, y.grad!);
    });
  }
  return y;
}

/** Gives `x` a gradient that passes unchanged: an alias if it is the first, otherwise a new sum (never in place). */
export function passGrad(tape: Tape, x: Tensor, grad: Tensor): void {
  x.grad = x.grad ? add(tape, x.grad, grad) : grad;
}
