/**
 * The diagonal Fisher information (INFANT Eq. 61) and the penalty built on it, elastic weight consolidation (Kirkpatrick
 * et al., arXiv:1612.00796; INFANT Eq. 14): parameters that mattered for the imprinted values are held near where they were.
 *
 * The empirical Fisher is the mean over sequences of the squared gradient of one sequence's log-probability: run backward per
 * sequence, then `accumulateSquares` with scale 1 / sequences. Eq. 61 itself takes the expectation over the policy's own
 * replies: the same computation on replies that were sampled from it.
 */
import { InputError } from "../errors.ts";
import { defineKernel } from "../gpu/kernel.ts";
import type { Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { KNOBS } from "../optimizer/schedule.ts";
import { checkSlot, checkVector } from "../reduce/checks.ts";
import { flatLaunch } from "../reduce/flat.ts";
import { ROW_FUNCTIONS } from "../reduce/rows.ts";
import { sumInto } from "../reduce/sum.ts";
import { windowOf, windowsOf } from "../reduce/windows.ts";
import ewcCode from "./ewc.wgsl" with { type: "text" };
import squaresCode from "./squares.wgsl" with { type: "text" };

const squaresKernel = defineKernel("fisher_squares", squaresCode);
const ewcKernel = defineKernel("ewc", ewcCode, { ROW_FUNCTIONS });

/** Partial sums per window. */
const GROUPS = 256;

/**
 * fisher += scale * d_theta^2 over flat vectors of one length; `fisher` is persistent and starts as zeros.
 * @throws {InputError} when they are no float32 vectors of one length.
 */
export function accumulateSquares(
  tape: Tape,
  d_theta: Tensor,
  fisher: Tensor,
  scale: number,
): void {
  checkVector("accumulateSquares", d_theta);
  checkVector("accumulateSquares", fisher, d_theta.columns);
  for (const window of windowsOf(tape.gpu, d_theta.columns)) {
    const length4 = Math.ceil(window.length / 4);
    const { chunk4, ...launch } = flatLaunch(tape.gpu, length4);
    tape.dispatch({
      kernel: squaresKernel,
      bindings: { d_theta: windowOf(d_theta, window), fisher: windowOf(fisher, window) },
      uniforms: { length4, chunk4, scale },
      ...launch,
      flops: 3 * window.length,
    });
  }
}

/** How a penalty joins a training step. */
export interface EwcOptions {
  /** The optimizer's knobs: penalty and gradient are divided by their gradient scale (knob 4). Absent: they are as written. */
  readonly knobs?: Tensor;
  /** Add the penalty to metrics[index] instead of replacing it: several anchors make one sum. */
  readonly accumulate?: boolean;
}

/**
 * metrics[index] = kappa/2 sum F (theta - anchor)^2 and, where theta has a gradient tensor,
 * theta.grad += kappa F (theta - anchor) (INFANT Eq. 14). All but `metrics` are flat float32 vectors of one length.
 * Both happen where this is recorded, so record it after the step's gradients were cleared. Beside gradients that carry a loss
 * scale (see `LossScaler`) give `options.knobs`, or kappa would count for 1 / scale of itself.
 * @throws {InputError} when the vectors do not match or kappa is negative.
 */
export function ewcPenalty(
  tape: Tape,
  theta: Tensor,
  anchor: Tensor,
  fisher: Tensor,
  kappa: number,
  metrics: Tensor,
  index: number,
  options: EwcOptions = {},
): void {
  const { knobs, accumulate = false } = options;
  for (const tensor of [theta, anchor, fisher, theta.grad]) {
    if (tensor) checkVector("ewcPenalty", tensor, theta.columns);
  }
  if (knobs) checkVector("ewcPenalty", knobs, KNOBS);
  checkSlot("ewcPenalty", metrics, index, 1);
  if (!(kappa >= 0)) throw new InputError(`ewcPenalty: kappa must be at least 0, found ${kappa}`);
  const windows = windowsOf(tape.gpu, theta.columns);
  const partial = tape.tensor(`${theta.name}.ewc`, [windows.length * GROUPS]);
  // Without a gradient the shader never looks at that binding; it may not be a buffer that is read as well.
  const d_theta = theta.grad ?? tape.tensor(`${theta.name}.no_gradient`, [4]);
  windows.forEach((window, i) => {
    const length4 = Math.ceil(window.length / 4);
    const { chunk4, overrides, groups, loops } = flatLaunch(tape.gpu, length4, GROUPS);
    const part = (tensor: Tensor) => windowOf(tensor, window);
    tape.dispatch({
      kernel: ewcKernel,
      bindings: {
        theta: part(theta),
        anchor: part(anchor),
        fisher: part(fisher),
        d_theta: theta.grad ? part(d_theta) : d_theta,
        parts: partial,
        // Unscaled, the shader never looks at that binding.
        knobs: knobs ?? part(theta),
      },
      uniforms: { length: window.length, chunk4, index: i * GROUPS, kappa },
      overrides: { ...overrides, ADD_GRADIENT: theta.grad ? 1 : 0, SCALED: knobs ? 1 : 0 },
      groups,
      loops: loops + 8,
      flops: 6 * window.length,
    });
  });
  sumInto(tape, partial, metrics, index, { accumulate });
}
