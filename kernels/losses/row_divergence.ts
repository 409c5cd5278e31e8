/**
 * Divergences between rows of one matrix of logits, with gradients to both: what a policy says in a context against what it says in a
 * perturbed one (INFANT Eq. 10, where theta stands on both sides), and the symmetric relatives (Jeffreys, Jensen-Shannon).
 */
import { InputError } from "../errors.ts";
import { readingKernel } from "../gpu/reading.ts";
import { linearGroups, type Tape } from "../gpu/tape.ts";
import type { DType, Tensor } from "../gpu/tensor.ts";
import { checkVector } from "../reduce/checks.ts";
import { ROW_FUNCTIONS, rowLaunch } from "../reduce/rows.ts";
import { ONLINE_FUNCTIONS } from "../softmax/softmax.ts";
import { DIVERGENCE_FUNCTIONS } from "./kl_divergence.ts";
import { logitGradient, logitShape } from "./logits.ts";
import forwardCode from "./row_divergence.wgsl" with { type: "text" };
import backwardCode from "./row_divergence_backward.wgsl" with { type: "text" };

const functions = {
  ROW_FUNCTIONS,
  ONLINE: ONLINE_FUNCTIONS,
  DIVERGENCE: DIVERGENCE_FUNCTIONS,
};
const forward = readingKernel("row_divergence", forwardCode, ["logits"], functions);
const backward = readingKernel("row_divergence_backward", backwardCode, ["logits"], functions);

/** KL(p || q), KL(p || q) + KL(q || p), or KL(p || m) / 2 + KL(q || m) / 2 with m = (p + q) / 2. */
export const ROW_DIVERGENCES = ["kl", "jeffreys", "jensen_shannon"] as const;
/** One of {@linkcode ROW_DIVERGENCES}. */
export type RowDivergence = (typeof ROW_DIVERGENCES)[number];

/** Couples of rows that are compared. No row may occur twice, in either list, among couples of weight other than 0. */
export interface RowCouples {
  /** u32 [couples]: rows of p. */
  readonly first: Tensor;
  /** u32 [couples]: rows of q. */
  readonly second: Tensor;
  /** f32 [couples]; couples of weight 0 are not there. */
  readonly weights: Tensor;
}

/** What is computed, and how its gradient is stored. */
export interface RowDivergenceOptions {
  /** Which divergence; default `kl`. */
  readonly kind?: RowDivergence;
  /** Factor of values and gradients; default 1. */
  readonly scale?: number;
  /** No gradient for the first rows: they are a goal, not something to be moved towards the second. Default false. */
  readonly detachFirst?: boolean;
  /** Element type of d_logits, as in `crossEntropy`. */
  readonly gradient?: DType;
}

/**
 * value_i = scale weights_i D(softmax(logits[first_i]), softmax(logits[second_i])), [couples], in nats, for logits [rows, vocab].
 * Backward: d_logits of both rows, or of the second alone.
 * @throws {InputError} when the lists are not three vectors of one length.
 */
export function rowDivergence(
  tape: Tape,
  logits: Tensor,
  { first, second, weights }: RowCouples,
  options: RowDivergenceOptions = {},
): Tensor {
  const { kind = "kl", scale = 1, detachFirst = false, gradient = "f32" } = options;
  checkVector("rowDivergence", weights);
  const couples = weights.columns;
  for (const rows of [first, second]) {
    if (rows.dtype === "u32" && rows.shape.length === 1 && rows.columns === couples) continue;
    throw new InputError(
      `rowDivergence: ${rows.name} must be u32 [${couples}], one row for each of ${weights.name}, ` +
        `found ${rows.dtype} [${rows.shape}]`,
    );
  }
  const { overrides, loops } = rowLaunch(tape.gpu, logits);
  const groups = linearGroups(couples, 1);
  const KIND = ROW_DIVERGENCES.indexOf(kind);
  const stats = tape.tensor(`${logits.name}.row_stats`, [couples, 8]);
  const value = tape.tensor(`${logits.name}.${kind}`, [couples]);
  const inputs = { logits, first, second, weights, stats };
  const uniforms = { couples, ...logitShape(logits), scale };
  tape.dispatch({
    ...forward(tape, { ...inputs, value }),
    uniforms,
    overrides: { ...overrides, KIND },
    groups,
    loops: 2 * loops + 24,
    flops: 40 * couples * logits.columns,
  });
  if (logits.needsGrad) {
    tape.onBackward(() => {
      const { d_logits, ACCUMULATE } = logitGradient(tape, logits, gradient);
      // Most rows are in no couple, so the kernel cannot be the one that fills the gradient.
      if (!ACCUMULATE) tape.clear(d_logits);
      tape.dispatch({
        ...backward(tape, { ...inputs, d_logits }, { D: d_logits }),
        uniforms,
        overrides: { ...overrides, KIND, DETACHED: Number(detachFirst) },
        groups,
        loops,
        flops: 18 * couples * logits.columns,
      });
    });
  }
  return value;
}
