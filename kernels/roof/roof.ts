/**
 * What an adapter can do at most, as measured: kernels that only multiply and add, and kernels that only move memory.
 *
 * Every other kernel is judged against these two numbers (the roofline of Williams, Waterman and Patterson 2009).
 */
import { InputError } from "../errors.ts";
import { defineKernel } from "../gpu/kernel.ts";
import { linearGroups, type Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { flatLaunch } from "../reduce/flat.ts";
import arithmeticCode from "./arithmetic.wgsl" with { type: "text" };
import copyCode from "./copy.wgsl" with { type: "text" };

/**
 * vec2 chains of one invocation, as the shader writes them out: as many as hide the latency and still fit the processor's registers.
 * GFLOP per second of one core's time on llvmpipe (LLVM 15, AMD EPYC of the Zen 3 kind, 2026-11-30): 35, and 50 with LLVM's instruction
 * scheduler off; five chains that never meet, 13 and 57, because the scheduler of that kind works them off one after another.
 */
export const CHAINS = 5;
/** Steps of a chain per turn of the loop, written out in the shader: 30 GFLOP/s there with 16, 33 with 32, 35 with 64. */
export const STEPS_PER_TURN = 64;

const arithmetic = defineKernel("arithmetic", arithmeticCode, { STEPS: STEPS_PER_TURN });
const copy = defineKernel("copy", copyCode);

/** The recurrence of {@linkcode arithmeticRoof}. */
export interface Recurrence {
  /** Factor, in (0, 1). */
  readonly a: number;
  /** Summand of the first chain. */
  readonly b: number;
  /** Turns of {@linkcode STEPS_PER_TURN} steps. */
  readonly turns: number;
}

/**
 * out = the sum of the chains, started at 1, 2, ... {@linkcode CHAINS} times `start`, after all turns; vectors of equal length. A step
 * is x_c <- x_c a + x_(c-1), with b in place of x_0. Returns the floating-point operations of one replay.
 * @throws {InputError} when the lengths differ or are not multiples of 4.
 */
export function arithmeticRoof(
  tape: Tape,
  start: Tensor,
  out: Tensor,
  { a, b, turns }: Recurrence,
): number {
  const count2 = 2 * vec4Count(start, out);
  const flops = 2 * count2 * (CHAINS * STEPS_PER_TURN * turns * 2);
  tape.dispatch({
    kernel: arithmetic,
    bindings: { start, out },
    uniforms: { count2, turns, a, b },
    groups: linearGroups(count2, 64),
    loops: turns,
    flops,
  });
  return flops;
}

/**
 * y = x; vectors of equal length. Returns the bytes of one replay, read and written.
 * @throws {InputError} when the lengths differ or are not multiples of 4.
 */
export function copyRoof(tape: Tape, x: Tensor, y: Tensor): number {
  const count4 = vec4Count(x, y);
  const { overrides, groups, chunk4, loops } = flatLaunch(tape.gpu, count4);
  tape.dispatch({
    kernel: copy,
    bindings: { x, y },
    uniforms: { count4, chunk4 },
    overrides,
    groups,
    loops,
  });
  return 2 * 16 * count4;
}

function vec4Count(from: Tensor, to: Tensor): number {
  const length = from.stored;
  if (from.shape.length !== 1 || to.shape.length !== 1 || to.columns !== length || length % 4) {
    throw new InputError(
      `${from.name} [${from.shape}] and ${to.name} [${to.shape}] must be vectors of one length, a multiple of 4`,
    );
  }
  return length / 4;
}
