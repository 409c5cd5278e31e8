/**
 * The float16 working copy of the parameters, made again after each update of the float32 ones.
 */
import { InputError } from "../errors.ts";
import { defineKernel } from "../gpu/kernel.ts";
import type { Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { checkVector } from "../reduce/checks.ts";
import { flatLaunch } from "../reduce/flat.ts";
import { windowOf, windowsOf } from "../reduce/windows.ts";
import code from "./cast.wgsl" with { type: "text" };

const kernel = defineKernel("cast_f16", code);

/**
 * out = float16(theta) for a flat vector; `out` is f16 of the same length. Values beyond
 * +-65,504 overflow; what they then give shows as gradients that are not finite.
 * @throws {InputError} when the adapter has no `shader-f16`, or the vectors do not match.
 */
export function castToF16(tape: Tape, theta: Tensor, out: Tensor): void {
  if (!tape.gpu.hasF16) {
    throw new InputError("this adapter has no shader-f16: train in float32 instead");
  }
  checkVector("castToF16", theta);
  if (out.dtype !== "f16" || out.shape.length !== 1 || out.columns !== theta.columns) {
    throw new InputError(
      `castToF16: ${out.name} must be a f16 vector [${theta.columns}], ` +
        `found ${out.dtype} [${out.shape}]`,
    );
  }
  for (const window of windowsOf(tape.gpu, theta.columns)) {
    const length4 = Math.ceil(window.length / 4);
    const { chunk4, ...launch } = flatLaunch(tape.gpu, length4);
    tape.dispatch({
      kernel,
      bindings: { x: windowOf(theta, window), out: windowOf(out, window) },
      uniforms: { length4, chunk4 },
      ...launch,
    });
  }
}
