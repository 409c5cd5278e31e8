/**
 * Where the replies of a batch of pairs lie, as kernels read it: chosen replies are sequences 0 .. most - 1, rejected ones follow.
 */
import type { Tape } from "../../kernels/gpu/tape.ts";
import type { Tensor } from "../../kernels/gpu/tensor.ts";
import { logProbGather } from "../../kernels/losses/cross_entropy.ts";
import { NO_SEQUENCE, sequenceSums } from "../../kernels/losses/sequence_sums.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import {
  languageModelHead,
  type PolicyInput,
  transformer,
} from "../../kernels/policy/transformer.ts";
import { NO_TARGET } from "../data/batch.ts";
import type { PlacedPair, PreferenceBatch } from "./pairs.ts";

/** Which of a pair's replies. */
export type Side = "chosen" | "rejected";

/** Host values of a batch's places; `most` pairs fit. */
export interface Places {
  /** Next tokens that are scored, [tokens]; `NO_TARGET` elsewhere. */
  readonly targets: Uint32Array;
  /** The sequence of each token, [tokens]. */
  readonly sequenceOf: Uint32Array;
  /** First token of each sequence and the one behind its last, [4 most]. */
  readonly segments: Uint32Array;
  /** Scored tokens of each sequence, [2 most]. */
  readonly lengths: Float32Array;
}

/** The places of a batch; tokens are counted from its first row. */
export function placesOf({ tokens, pairs }: PreferenceBatch, most: number): Places {
  const targets = tokens.targets.map((target, t) => tokens.weights[t] === 1 ? target : NO_TARGET);
  const sequenceOf = new Uint32Array(tokens.ids.length).fill(NO_SEQUENCE);
  const segments = new Uint32Array(4 * most);
  const lengths = new Float32Array(2 * most);
  forEachReply(pairs, most, ({ from, to }, sequence) => {
    sequenceOf.fill(sequence, from, to);
    segments.set([from, to], 2 * sequence);
    for (let t = from; t < to; t++) if (targets[t] !== NO_TARGET) lengths[sequence]++;
  });
  return { targets, sequenceOf, segments, lengths };
}

/** Every reply with the number of its sequence. */
export function forEachReply(
  pairs: readonly PlacedPair[],
  most: number,
  visit: (span: PlacedPair["chosen"], sequence: number, pair: PlacedPair, side: Side) => void,
): void {
  pairs.forEach((pair, p) => {
    visit(pair.chosen, p, pair, "chosen");
    visit(pair.rejected, most + p, pair, "rejected");
  });
}

/** The tensors that {@linkcode recordPairSums} reads. */
export interface PlacedTensors {
  /** u32 [tokens]. */
  readonly targets: Tensor;
  /** u32 [tokens]. */
  readonly sequenceOf: Tensor;
  /** u32 [4 most]. */
  readonly segments: Tensor;
}

/** Records a policy's log-probability of every reply, [2 most], without gradients. */
export function recordPairSums(
  tape: Tape,
  policy: Parameters,
  input: PolicyInput,
  rope: Tensor | null,
  places: PlacedTensors,
): Tensor {
  return tape.noGrad(() => {
    const hidden = transformer(tape, policy, input, { rope });
    const logits = languageModelHead(tape, policy, hidden);
    return sequenceSums(tape, logProbGather(tape, logits, places.targets), places);
  });
}
