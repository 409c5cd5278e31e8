/**
 * Cross-entropy and the log-probability of given tokens, straight from logits: probabilities are never stored.
 */
import { readingKernel } from "../gpu/reading.ts";
import type { Tape } from "../gpu/tape.ts";
import type { DType, Tensor } from "../gpu/tensor.ts";
import { ROW_FUNCTIONS, rowLaunch } from "../reduce/rows.ts";
import forwardCode from "./cross_entropy.wgsl" with { type: "text" };
import backwardCode from "./cross_entropy_backward.wgsl" with { type: "text" };
import { checkPerRow, logitGradient, logitShape } from "./logits.ts";
import { ONLINE_FUNCTIONS } from "../softmax/softmax.ts";

const functions = { ROW_FUNCTIONS, ONLINE: ONLINE_FUNCTIONS };
const forward = readingKernel("cross_entropy", forwardCode, ["logits"], functions);
const backward = readingKernel("cross_entropy_backward", backwardCode, ["logits"], functions);

/** Per-token results of {@linkcode crossEntropy}, each [tokens]; 0 where a token does not count. */
export interface CrossEntropy {
  /** weights_i * -log softmax(logits_i)[targets_i] */
  readonly value: Tensor;
  /** log softmax(logits_i)[targets_i] */
  readonly logProb: Tensor;
  /** 1 where the target is the most likely token (the first of equals), else 0. */
  readonly correct: Tensor;
}

/**
 * value_i = -weights_i log softmax(logits_i)[targets_i] for logits [tokens, vocab]; targets u32 and weights f32 [tokens].
 * Tokens whose target is `NO_TARGET` (or any id that is not below vocab), or whose weight is 0, cost nothing and count 0.
 * Backward: d_logits_i += weights_i (softmax(logits_i) - onehot(targets_i)), stored as `gradient`; all losses on the same logits
 * must agree in that. In f16 the weights should carry a loss scale, or small gradients vanish.
 * Weights may be negative: with w_i = (cost - baseline) of a sampled reply on each of its tokens, minus the gradient of this sum is
 * the score function's estimate of a policy's gradient (Williams 1992; INFANT Eq. 13).
 * @throws {InputError} when targets or weights do not match the rows of `logits`.
 */
export function crossEntropy(
  tape: Tape,
  logits: Tensor,
  targets: Tensor,
  weights: Tensor,
  gradient: DType = "f32",
): CrossEntropy {
  checkPerRow("crossEntropy", logits, targets, "u32");
  checkPerRow("crossEntropy", logits, weights, "f32");
  const { stats, value, logProb, correct } = recordForward(tape, logits, targets, weights);
  if (logits.needsGrad) {
    tape.onBackward(() => recordBackward(tape, logits, targets, stats, weights, 1, gradient));
  }
  return { value, logProb, correct };
}

/**
 * log softmax(logits_i)[targets_i], [tokens]; 0 where the target is `NO_TARGET`.
 * Backward: d_logits_i += d_y_i (onehot(targets_i) - softmax(logits_i)), stored as `gradient`; see {@linkcode crossEntropy}.
 * @throws {InputError} when targets do not match the rows of `logits`.
 */
export function logProbGather(
  tape: Tape,
  logits: Tensor,
  targets: Tensor,
  gradient: DType = "f32",
): Tensor {
  checkPerRow("logProbGather", logits, targets, "u32");
  const { stats, logProb } = recordForward(tape, logits, targets, null);
  logProb.needsGrad = logits.needsGrad;
  if (logits.needsGrad) {
    tape.onBackward(() =>
      recordBackward(tape, logits, targets, stats, logProb.grad!, -1, gradient)
    );
  }
  return logProb;
}

function recordForward(
  tape: Tape,
  logits: Tensor,
  targets: Tensor,
  weights: Tensor | null,
): CrossEntropy & { readonly stats: Tensor } {
  const { rows, name } = logits;
  const stats = tape.tensor(`${name}.stats`, [rows, 2]);
  const value = tape.tensor(`${name}.cross_entropy`, [rows]);
  const logProb = tape.tensor(`${name}.log_prob`, [rows]);
  const correct = tape.tensor(`${name}.correct`, [rows]);
  const { overrides, groups, loops } = rowLaunch(tape.gpu, logits);
  tape.dispatch({
    // Without weights the shader never looks at that binding; any float tensor will do.
    ...forward(tape, {
      logits,
      targets,
      weights: weights ?? logits,
      stats,
      value,
      log_prob: logProb,
      correct,
    }),
    uniforms: logitShape(logits),
    overrides: { ...overrides, WEIGHTED: weights ? 1 : 0 },
    groups,
    loops: loops + 8,
    flops: 8 * logits.rows * logits.columns,
  });
  return { stats, value, logProb, correct };
}

function recordBackward(
  tape: Tape,
  logits: Tensor,
  targets: Tensor,
  stats: Tensor,
  weights: Tensor,
  scale: 1 | -1,
  gradient: DType,
): void {
  const { d_logits, ACCUMULATE } = logitGradient(tape, logits, gradient);
  const { overrides, groups, loops } = rowLaunch(tape.gpu, logits);
  tape.dispatch({
    ...backward(tape, { logits, targets, weights, stats, d_logits }, { D: d_logits }),
    uniforms: { ...logitShape(logits), scale },
    overrides: { ...overrides, ACCUMULATE },
    groups,
    loops,
    flops: 5 * logits.rows * logits.columns,
  });
}
