/**
 * The global gradient norm and whether any gradient is infinite or NaN, left on the GPU for the optimizer to act on.
 */
import { defineKernel } from "../gpu/kernel.ts";
import type { Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { checkSlot, checkVector } from "./checks.ts";
import { flatLaunch } from "./flat.ts";
import normCode from "./global_norm.wgsl" with { type: "text" };
import { ROW_FUNCTIONS } from "./rows.ts";
import squaresCode from "./squares.wgsl" with { type: "text" };
import { windowOf, windowsOf } from "./windows.ts";

const squaresKernel = defineKernel("squares", squaresCode, { ROW_FUNCTIONS });
const normKernel = defineKernel("global_norm", normCode, { ROW_FUNCTIONS });

/** Workgroups per window: 2^25 floats in 128 MiB are 4,096 vec4 per lane with 8 lanes, far from the loop limit. */
const GROUPS = 256;

/**
 * out[index] = sqrt(sum g^2) over the flat vector `grads` (of any length), out[index + 1] = 1 if any g (or the sum) is infinite or
 * NaN, else 0. The sum is taken in float32, so norms above 1.8e19 count as not finite.
 * @throws {InputError} when `grads` is no float32 vector or `out` has no room for two values at `index`.
 */
export function globalNorm(tape: Tape, grads: Tensor, out: Tensor, index: number): void {
  checkVector("globalNorm", grads);
  checkSlot("globalNorm", out, index, 2);
  const windows = windowsOf(tape.gpu, grads.columns);
  const count = windows.length * GROUPS;
  const partial = tape.tensor(`${grads.name}.squares`, [2 * count]);
  windows.forEach((window, i) => {
    const { chunk4, overrides, groups, loops } = flatLaunch(
      tape.gpu,
      Math.ceil(window.length / 4),
      GROUPS,
    );
    tape.dispatch({
      kernel: squaresKernel,
      bindings: { x: windowOf(grads, window), parts: partial },
      uniforms: { length: window.length, chunk4, index: i * GROUPS },
      overrides,
      groups,
      loops: loops + 8,
      flops: 2 * window.length,
    });
  });
  // One workgroup; here each invocation takes one partial sum at a time.
  const { overrides, groups, loops } = flatLaunch(tape.gpu, count, 1);
  tape.dispatch({
    kernel: normKernel,
    bindings: { parts: partial, out },
    uniforms: { count, index },
    overrides,
    groups,
    loops: loops + 8,
  });
}
