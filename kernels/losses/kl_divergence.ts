/**
 * The Kullback-Leibler divergence between a policy and a fixed prior, token by token over the whole vocabulary: what holds
 * a policy to where it came from (INFANT Eq. 60, and the second term of Eq. 7: rho KL(pi_theta || pi_prior)).
 */
import { InputError } from "../errors.ts";
import { readingKernel } from "../gpu/reading.ts";
import type { Tape } from "../gpu/tape.ts";
import type { DType, Tensor } from "../gpu/tensor.ts";
import { ROW_FUNCTIONS, rowLaunch } from "../reduce/rows.ts";
import forwardCode from "./kl_divergence.wgsl" with { type: "text" };
import divergenceCode from "./divergence.wgsl" with { type: "text" };
import backwardCode from "./kl_divergence_backward.wgsl" with { type: "text" };
import { checkPerRow, logitGradient, logitShape } from "./logits.ts";
import { ONLINE_FUNCTIONS } from "../softmax/softmax.ts";

const functions = { ROW_FUNCTIONS, ONLINE: ONLINE_FUNCTIONS };
const forward = readingKernel("kl_divergence", forwardCode, ["logits", "prior"], {
  ...functions,
  DIVERGENCE: divergenceCode,
});
const backward = readingKernel(
  "kl_divergence_backward",
  backwardCode,
  ["logits", "prior"],
  functions,
);

/** WGSL of divergences' terms, column by column; include after `ROW_FUNCTIONS`. */
export const DIVERGENCE_FUNCTIONS: string = divergenceCode;

/** KL(policy || prior) or KL(prior || policy). */
export type Direction = "policy_prior" | "prior_policy";

/**
 * value_i = rho weights_i KL_i, [tokens], for policy and prior logits [tokens, vocab] and weights f32 [tokens].
 * Tokens of weight 0 cost nothing and count 0; the prior may lack the last tokens, where all of those have weight 0.
 * Backward: d_logits += rho weights_i dKL_i/dlogits; the prior gets no gradient.
 * `gradient` is the element type of d_logits, as in `crossEntropy`.
 * @throws {InputError} when the shapes do not belong together.
 */
export function klDivergence(
  tape: Tape,
  logits: Tensor,
  priorLogits: Tensor,
  weights: Tensor,
  direction: Direction,
  rho = 1,
  gradient: DType = "f32",
): Tensor {
  checkPerRow("klDivergence", logits, weights, "f32");
  if (priorLogits.rows > logits.rows || priorLogits.columns !== logits.columns) {
    throw new InputError(
      `klDivergence: ${priorLogits.name} [${priorLogits.shape}] must have the columns and at most the rows of ` +
        `${logits.name} [${logits.shape}]`,
    );
  }
  const { overrides, groups, loops } = rowLaunch(tape.gpu, logits);
  const FROM_PRIOR = Number(direction === "prior_policy");
  const stats = tape.tensor(`${logits.name}.kl_stats`, [logits.rows, 8]);
  const value = tape.tensor(`${logits.name}.kl`, [logits.rows]);
  const inputs = { logits, prior: priorLogits, weights, stats };
  const uniforms = { ...logitShape(logits), scale: rho };
  tape.dispatch({
    ...forward(tape, { ...inputs, value }),
    uniforms,
    overrides: { ...overrides, FROM_PRIOR },
    groups,
    loops: 2 * loops + 24,
    flops: 40 * logits.rows * logits.columns,
  });
  if (logits.needsGrad) {
    tape.onBackward(() => {
      const { d_logits, ACCUMULATE } = logitGradient(tape, logits, gradient);
      tape.dispatch({
        ...backward(tape, { ...inputs, d_logits }, { D: d_logits }),
        uniforms,
        overrides: { ...overrides, FROM_PRIOR, ACCUMULATE },
        groups,
        loops,
        flops: 9 * logits.rows * logits.columns,
      });
    });
  }
  return value;
}
