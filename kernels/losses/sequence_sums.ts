/**
 * Sums over the tokens of each sequence of a batch, wherever in it the sequence lies: log pi(a | h) = sum_i log p(a_i | h, a_<i)
 * (INFANT Definition 2.2) for replies that are packed several to a row as well as for one a row.
 */
import { InputError } from "../errors.ts";
import { defineKernel } from "../gpu/kernel.ts";
import { linearGroups, type Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { checkVector } from "../reduce/checks.ts";
import { ROW_FUNCTIONS } from "../reduce/rows.ts";
import forwardCode from "./sequence_sums.wgsl" with { type: "text" };
import backwardCode from "./sequence_sums_backward.wgsl" with { type: "text" };

const forward = defineKernel("sequence_sums", forwardCode, { ROW_FUNCTIONS });
const backward = defineKernel("sequence_sums_backward", backwardCode);

/** Marks a token that belongs to no sequence. */
export const NO_SEQUENCE = 0xffffffff;

/** Where sequences lie among the tokens of a batch. */
export interface Sequences {
  /** u32 [2 * sequences]: first token of each sequence and the one behind its last; equal: the sequence is empty. */
  readonly segments: Tensor;
  /** u32 [tokens]: the sequence of each token, or {@linkcode NO_SEQUENCE}. */
  readonly sequenceOf: Tensor;
}

/**
 * sums[s] = sum of x over sequence s, [sequences], for x f32 [tokens]. Backward: d_x is that of the token's sequence, 0 outside all.
 * Sequences must not overlap, and `sequenceOf` must agree with `segments`.
 * @throws {InputError} when the shapes do not belong together.
 */
export function sequenceSums(tape: Tape, x: Tensor, { segments, sequenceOf }: Sequences): Tensor {
  checkVector("sequenceSums", x);
  const tokens = x.columns;
  if (segments.dtype !== "u32" || segments.shape.length !== 1 || segments.columns % 2 !== 0) {
    throw new InputError(
      `sequenceSums: ${segments.name} must be u32 [2 * sequences], found ${segments.dtype} [${segments.shape}]`,
    );
  }
  if (sequenceOf.dtype !== "u32" || sequenceOf.columns !== tokens) {
    throw new InputError(
      `sequenceSums: ${sequenceOf.name} must be u32 [${tokens}], one per token, found ${sequenceOf.dtype} [${sequenceOf.shape}]`,
    );
  }
  const sequences = segments.columns / 2;
  const sums = tape.tensor(`${x.name}.sums`, [sequences]);
  sums.needsGrad = x.needsGrad;
  const LANES = tape.gpu.info.software ? 8 : 64;
  tape.dispatch({
    kernel: forward,
    bindings: { x, segments, sums },
    uniforms: { sequences, tokens },
    overrides: { LANES },
    groups: linearGroups(sequences, 1),
    loops: Math.ceil(tokens / LANES) + 8,
    flops: tokens,
  });
  if (x.needsGrad) {
    tape.onBackward(() => {
      x.grad = tape.tensor(`d_${x.name}`, [tokens]);
      tape.dispatch({
        kernel: backward,
        bindings: { d_sums: sums.grad!, sequence_of: sequenceOf, d_x: x.grad },
        uniforms: { sequences, tokens },
        groups: linearGroups(tokens, 64),
      });
    });
  }
  return sums;
}
