/**
 * A kernel launch as operations describe it: data only, shared by the tape that runs it and the clock that times it.
 */
import type { Kernel, Overrides } from "./kernel.ts";
import type { Tensor } from "./tensor.ts";

/** One kernel launch. */
export interface Dispatch {
  /** What is launched. */
  readonly kernel: Kernel;
  /** A tensor for each of the kernel's bindings. */
  readonly bindings: Readonly<Record<string, Tensor>>;
  /** A value for each of the kernel's uniforms. */
  readonly uniforms?: Readonly<Record<string, number>>;
  /** Values of `override` constants. */
  readonly overrides?: Overrides;
  /** Workgroups along x, y, z. */
  readonly groups: readonly [number, number?, number?];
  /** Most loop iterations any one invocation makes; see {@linkcode MAX_LOOP_ITERATIONS}. */
  readonly loops?: number;
  /** Floating-point operations, for the profile table. */
  readonly flops?: number;
}

/**
 * Mesa's software rasteriser silently stops all loops of an invocation after 65,535 iterations and returns a
 * plausible wrong number. Every kernel with a loop states its count, and the tape refuses longer ones everywhere.
 */
export const MAX_LOOP_ITERATIONS = 65_000;
