/**
 * What all losses over logits share.
 *
 * A loss takes logits [tokens, vocab] and gives one value per token, already weighted; the loss is their sum, so its gradient with
 * respect to each value is 1. Weights come from the host divided by their total, which makes a batch cut into pieces give the
 * same loss as the whole.
 */
import { InputError } from "../errors.ts";
import type { Tape } from "../gpu/tape.ts";
import type { DType, Tensor } from "../gpu/tensor.ts";

/** Where a loss leaves its gradient. */
export interface LogitGradient {
  /** [tokens, vocab] */
  readonly d_logits: Tensor;
  /** Override for the backward kernel: add to what another loss left there. */
  readonly ACCUMULATE: 0 | 1;
}

/**
 * The one gradient tensor of `logits`: the first loss to run backward fills it, each further one adds to it in place.
 * That is safe here, and only here: nothing but losses writes it, and its one reader, the head projection, comes later.
 * At a vocabulary of 50,000 a sum out of place would cost a second tensor of hundreds of MiB.
 */
export function logitGradient(tape: Tape, logits: Tensor, dtype: DType): LogitGradient {
  if (logits.grad) return { d_logits: logits.grad, ACCUMULATE: 1 };
  logits.grad = tape.tensor(`d_${logits.name}`, logits.shape, dtype);
  return { d_logits: logits.grad, ACCUMULATE: 0 };
}

/** Row counts and widths as the loss kernels' uniforms name them. */
export function logitShape(logits: Tensor): { rows: number; columns: number; columns4: number } {
  return { rows: logits.rows, columns: logits.columns, columns4: logits.stride / 4 };
}

/**
 * Checks that `tensor` holds one `dtype` value per row of `logits`.
 * @throws {InputError} otherwise.
 */
export function checkPerRow(
  operation: string,
  logits: Tensor,
  tensor: Tensor,
  dtype: "f32" | "u32",
): void {
  if (logits.shape.length < 2) {
    throw new InputError(
      `${operation}: ${logits.name} must be [tokens, vocab], found [${logits.shape}]`,
    );
  }
  if (tensor.shape.length !== 1 || tensor.columns !== logits.rows || tensor.dtype !== dtype) {
    throw new InputError(
      `${operation}: ${tensor.name} must be ${dtype} [${logits.rows}], one per row of ` +
        `${logits.name} [${logits.shape}], found ${tensor.dtype} [${tensor.shape}]`,
    );
  }
}
