/**
 * Parameter updates over flat vectors: AdamW and SGD, with clipping by the global norm.
 *
 * Norm, clip factor and the skip of a step whose gradients are not finite are all decided on the GPU, from the metrics that
 * `globalNorm` left there, so that a step needs no read-back.
 */
import { InputError } from "../errors.ts";
import { type ReadingKernel, readingKernel } from "../gpu/reading.ts";
import type { Tape } from "../gpu/tape.ts";
import { persistent, type Tensor } from "../gpu/tensor.ts";
import type { Gpu } from "../gpu/device.ts";
import { checkSlot, checkVector } from "../reduce/checks.ts";
import { flatLaunch } from "../reduce/flat.ts";
import { windowOf, windowsOf } from "../reduce/windows.ts";
import adamwCode from "./adamw.wgsl" with { type: "text" };
import gradientCode from "./gradient.wgsl" with { type: "text" };
import { KNOBS } from "./schedule.ts";
import sgdCode from "./sgd.wgsl" with { type: "text" };

const STATE = ["d_theta", "theta_before", "m_before"];
const constants = { GRADIENT: gradientCode };
const adamwKernel = readingKernel("adamw", adamwCode, [...STATE, "v_before"], constants);
const sgdKernel = readingKernel("sgd", sgdCode, STATE, constants);

/** Parameters, their gradient and the optimizer's state: float32 vectors of one length. */
export interface Arenas {
  /** Parameters, changed in place. */
  readonly theta: Tensor;
  /** Their gradient. */
  readonly d_theta: Tensor;
  /** First moment (AdamW) or velocity (SGD); zeros before the first step. */
  readonly m: Tensor;
  /** Second moment; not used by SGD. Zeros before the first step. */
  readonly v: Tensor;
}

/** Which values are updated and which of them decay. */
export interface Extent {
  /** Decoupled (AdamW) or coupled (SGD) decay per step, before the learning rate. */
  readonly weightDecay: number;
  /** Values [0, decayEnd) decay, the others do not; a multiple of 64. */
  readonly decayEnd: number;
  /** Number of values to update: all, or a multiple of 64. */
  readonly length: number;
}

/** Settings of {@linkcode adamw} that do not change during a run. */
export interface AdamWSettings extends Extent {
  /** Decay of the first moment, in [0, 1). */
  readonly beta1: number;
  /** Decay of the second moment, in [0, 1). */
  readonly beta2: number;
  /** Added to the root of the second moment; not 0 in float32, or what never had a gradient would become 0 / 0. */
  readonly eps: number;
}

/** Settings of {@linkcode sgd} that do not change during a run. */
export interface SgdSettings extends Extent {
  /** Share of the velocity that is kept; 0: plain gradient descent. */
  readonly momentum: number;
  /** Look ahead by one more momentum step; false where absent. */
  readonly nesterov?: boolean;
}

/** The buffer for {@linkcode knobValues}: what changes from step to step, written by the host before each replay. */
export function createKnobs(gpu: Gpu): Tensor {
  return persistent(gpu, "optimizer knobs", [KNOBS]);
}

/**
 * One AdamW step (Loshchilov and Hutter, arXiv:1711.05101), in PyTorch's order of operations.
 *
 * Gradients are d_theta times knob 4 times min(1, knob 3 / (norm + 1e-6)), where metrics[normIndex] is the norm of
 * d_theta itself (see `globalNorm`). Nothing changes when metrics[normIndex + 1] is set.
 * @throws {InputError} when the vectors do not match or a setting is out of range.
 */
export function adamw(
  tape: Tape,
  arenas: Arenas,
  metrics: Tensor,
  normIndex: number,
  knobs: Tensor,
  settings: AdamWSettings,
): void {
  const { beta1, beta2, eps, weightDecay } = settings;
  const { v } = arenas;
  checkSetting("adamw", "beta1", beta1, beta1 >= 0 && beta1 < 1, "in [0, 1)");
  checkSetting("adamw", "beta2", beta2, beta2 >= 0 && beta2 < 1, "in [0, 1)");
  checkSetting("adamw", "eps", eps, eps >= 2 ** -126, "at least 2^-126");
  checkVector("adamw", v, arenas.theta.columns);
  update(tape, "adamw", adamwKernel, { ...arenas, v }, metrics, normIndex, knobs, settings, {
    beta1,
    // In float32, 1 - 0.999 differs from 0.001 by 5e-5 of it; the host's float64 does not.
    one_minus_beta1: 1 - beta1,
    beta2,
    one_minus_beta2: 1 - beta2,
    eps,
    decay: weightDecay,
  });
}

/**
 * One step of SGD with momentum, as PyTorch defines it (weight decay joins the clipped gradient). Clipping and
 * skipping as in {@linkcode adamw}; `arenas.v` is not used.
 * @throws {InputError} when the vectors do not match or a setting is out of range.
 */
export function sgd(
  tape: Tape,
  arenas: Omit<Arenas, "v">,
  metrics: Tensor,
  normIndex: number,
  knobs: Tensor,
  settings: SgdSettings,
): void {
  const { theta, d_theta, m } = arenas;
  const { momentum, weightDecay, nesterov = false } = settings;
  checkSetting("sgd", "momentum", momentum, momentum >= 0 && momentum < 1, "in [0, 1)");
  const uniforms = { momentum, decay: weightDecay };
  const overrides = { NESTEROV: Number(nesterov) };
  update(
    tape,
    "sgd",
    sgdKernel,
    { theta, d_theta, m },
    metrics,
    normIndex,
    knobs,
    settings,
    uniforms,
    overrides,
  );
}

/** Values that are updated at a time where they are read from copies, which so need little memory. */
const COPIED = 2 ** 22;

function update(
  tape: Tape,
  name: string,
  kernel: ReadingKernel,
  arenas: Readonly<Record<string, Tensor>>,
  metrics: Tensor,
  normIndex: number,
  knobs: Tensor,
  { length, decayEnd, weightDecay }: Extent,
  uniforms: Readonly<Record<string, number>>,
  overrides: Readonly<Record<string, number>> = {},
): void {
  checkExtent(name, arenas, length, decayEnd);
  checkSetting(name, "weightDecay", weightDecay, weightDecay >= 0, "at least 0");
  checkSlot(name, metrics, normIndex, 2);
  checkVector(name, knobs, KNOBS);
  for (const window of windowsOf(tape.gpu, length, tape.gpu.fastTextures ? COPIED : Infinity)) {
    const length4 = Math.ceil(window.length / 4);
    const decay_end4 = Math.min(Math.max(decayEnd - window.start, 0), window.length) / 4;
    const { chunk4, overrides: lanes, groups, loops } = flatLaunch(tape.gpu, length4);
    const bindings: Record<string, Tensor> = { knobs, metrics };
    for (const key in arenas) bindings[key] = windowOf(arenas[key], window);
    tape.dispatch({
      ...kernel(tape, bindings),
      uniforms: {
        length4,
        chunk4,
        decay_end4: Math.ceil(decay_end4),
        norm_index: normIndex,
        ...uniforms,
      },
      overrides: { ...lanes, ...overrides },
      groups,
      loops,
      flops: 14 * window.length,
    });
  }
}

function checkSetting(
  operation: string,
  name: string,
  value: number,
  ok: boolean,
  expected: string,
): void {
  if (!ok) throw new InputError(`${operation}: ${name} must be ${expected}, found ${value}`);
}

function checkExtent(
  operation: string,
  arenas: Readonly<Record<string, Tensor>>,
  length: number,
  decayEnd: number,
): void {
  const { theta } = arenas;
  for (const name in arenas) checkVector(operation, arenas[name], theta.columns);
  if (!(length >= 1 && (length % 64 === 0 && length < theta.columns || length === theta.columns))) {
    throw new InputError(
      `${operation}: length must be ${theta.columns} (all of ${theta.name}) or a smaller multiple ` +
        `of 64, found ${length}`,
    );
  }
  if (!(decayEnd >= 0 && decayEnd <= length && (decayEnd % 64 === 0 || decayEnd === length))) {
    throw new InputError(
      `${operation}: decayEnd must be a multiple of 64 up to length ${length}, found ${decayEnd}`,
    );
  }
}
