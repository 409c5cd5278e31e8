/**
 * Synaptic intelligence (Zenke, Poole and Ganguli, arXiv:1703.04200): how much each parameter's own movement lowered the loss.
 *
 * Along training, w_i = -sum over steps of (d L / d theta_i) (theta_i' - theta_i) with the gradient of the stage's own loss, unclipped,
 * and the step that the optimizer really made. At the end, Omega_i = max(w_i, 0) / ((theta_i - start_i)^2 + damping). It takes the place
 * of the Fisher diagonal in INFANT Eq. 14, whose kappa / 2 is the original's c, and costs no pass over the data.
 */
import { InputError } from "../errors.ts";
import { defineKernel, type Kernel } from "../gpu/kernel.ts";
import type { Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { KNOBS } from "../optimizer/schedule.ts";
import { checkSlot, checkVector } from "../reduce/checks.ts";
import { flatLaunch } from "../reduce/flat.ts";
import { windowOf, windowsOf } from "../reduce/windows.ts";
import beginCode from "./path_begin.wgsl" with { type: "text" };
import endCode from "./path_end.wgsl" with { type: "text" };
import importanceCode from "./importance.wgsl" with { type: "text" };

const beginKernel = defineKernel("path_begin", beginCode);
const endKernel = defineKernel("path_end", endCode);
const importanceKernel = defineKernel("synaptic_importance", importanceCode);

/** Vectors of the path integral, flat and persistent, all of one length. */
export interface PathIntegral {
  /** Parameters before the step's update. */
  readonly before: Tensor;
  /** Gradient of the step's own loss, without loss scale. */
  readonly gradient: Tensor;
  /** w, zeros before the first step. */
  readonly path: Tensor;
}

/**
 * Remembers theta and d_theta; record it after the gradients of the stage's own losses and before penalties are added to them.
 * @throws {InputError} when the vectors do not match.
 */
export function beginPath(
  tape: Tape,
  theta: Tensor,
  d_theta: Tensor,
  { before, gradient }: PathIntegral,
  knobs: Tensor,
): void {
  checkVector("beginPath", knobs, KNOBS);
  flat(tape, beginKernel, { theta, d_theta, before, gradient }, { knobs }, {}, 1);
}

/**
 * path -= gradient (theta - before); record it after the update. Where metrics[normIndex + 1] is set the update left theta as it was,
 * and path stays too.
 * @throws {InputError} when the vectors do not match.
 */
export function endPath(
  tape: Tape,
  theta: Tensor,
  { before, gradient, path }: PathIntegral,
  metrics: Tensor,
  normIndex: number,
): void {
  checkSlot("endPath", metrics, normIndex, 2);
  flat(tape, endKernel, { theta, before, gradient, path }, { metrics }, { flag: normIndex + 1 }, 3);
}

/**
 * importance += max(path, 0) / ((theta - start)^2 + damping), with `start` the parameters at the stage's beginning.
 * @throws {InputError} when the vectors do not match or damping is not above 0.
 */
export function synapticImportance(
  tape: Tape,
  theta: Tensor,
  start: Tensor,
  path: Tensor,
  importance: Tensor,
  damping: number,
): void {
  if (!(damping > 0)) {
    throw new InputError(`synapticImportance: damping must be above 0, found ${damping}`);
  }
  flat(tape, importanceKernel, { theta, start, path, importance }, {}, { damping }, 5);
}

function flat(
  tape: Tape,
  kernel: Kernel,
  vectors: Readonly<Record<string, Tensor>>,
  others: Readonly<Record<string, Tensor>>,
  uniforms: Readonly<Record<string, number>>,
  flopsEach: number,
): void {
  const { theta } = vectors;
  for (const name in vectors) checkVector(kernel.name, vectors[name], theta.columns);
  for (const window of windowsOf(tape.gpu, theta.columns)) {
    const length4 = Math.ceil(window.length / 4);
    const { chunk4, ...launch } = flatLaunch(tape.gpu, length4);
    const bindings: Record<string, Tensor> = { ...others };
    for (const name in vectors) bindings[name] = windowOf(vectors[name], window);
    tape.dispatch({
      kernel,
      bindings,
      uniforms: { length4, chunk4, ...uniforms },
      ...launch,
      flops: flopsEach * window.length,
    });
  }
}
