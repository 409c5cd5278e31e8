/**
 * The terms of INFANT's objective (Eq. 6), as a training step takes them.
 *
 *     L(theta) = weightVI L_VI + weightPO L_PO + weightCI L_CI + weightVC L_VC + weightPl L_pl
 *
 * All terms learn from rows of one joint micro-batch: the policy reads them in a single forward pass, every term adds its loss to the
 * same logits, and one backward pass serves them all. A term of weight zero is never recorded and owns no row.
 *
 * A step goes: `prepare` of every term for every micro-batch (it may sample, search and read back; the policy stands still), then
 * `upload` with the factor that makes the step's losses means, then one submission.
 */
import type { Tape } from "../../kernels/gpu/tape.ts";
import type { DType, Tensor } from "../../kernels/gpu/tensor.ts";
import type { TokenTensors } from "../../kernels/policy/batch.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import type { TokenPart } from "../../kernels/policy/vocabulary.ts";
import type { TokenBatch } from "../data/batch.ts";

/** Names of the terms, in the order of Eq. 6. */
export const TERM_NAMES = [
  "value_imprinting",
  "preference",
  "counterfactual",
  "capacitor",
  "plasticity",
] as const;
/** One of {@linkcode TERM_NAMES}. */
export type TermName = (typeof TERM_NAMES)[number];

/** What a term sees while it is recorded. */
export interface TermContext {
  /** The policy that is trained. */
  readonly parameters: Parameters;
  /** The joint micro-batch, all terms' rows behind one another; its `weights` and `klWeights` belong to value imprinting. */
  readonly tokens: TokenTensors;
  /** The policy's logits, [tokens at hand, vocabulary]; with dropout, where there is any. */
  readonly logits: Tensor;
  /** Cuts a tensor of all tokens to the tokens at hand. Those are all, but where imprinting learns alone and logits are too many to keep. */
  readonly part: TokenPart;
  /** What is made once, however many parts the tokens come in. */
  readonly once: (make: () => Tensor) => Tensor;
  /** First row of the joint micro-batch that belongs to the term. */
  readonly firstRow: number;
  /** Micro-batches of a step. */
  readonly slots: number;
  /** cos/sin table for further forward passes; null where positions are not rotary. */
  readonly rope: Tensor | null;
  /** Element type of the gradient of the logits; all losses must agree in it. */
  readonly gradient: DType;
  /** The step's metrics, zeros at its start. */
  readonly metrics: Tensor;
  /**
   * Place in `metrics` of the term's own metrics, in the order of {@linkcode Term.metrics}. Each is a sum over what the step learns
   * from, weighted by what `upload` was told (so it carries the factor; the reader divides by weight and loss scale).
   */
  readonly index: number;
}

/** What a term sees while the update is recorded, once a step. */
export interface UpdateContext
  extends Omit<TermContext, "tokens" | "logits" | "part" | "once" | "firstRow"> {
  /** The optimiser's knobs; `knobs[4]` is 1 / loss scale, which the gradient still carries (see `knobValues`). */
  readonly knobs: Tensor;
  /** Place in `metrics` of the gradient's norm; behind it the flag of a gradient that is not finite. */
  readonly normIndex: number;
}

/** The rows of one micro-batch, as a term made them. */
export interface TermBatch {
  /** Exactly the term's rows; targets are shared by all, weights are the term's own business (0 elsewhere). */
  readonly tokens: TokenBatch;
  /** What the term's mean over the step divides by: weight of tokens, number of pairs, number of replies. */
  readonly total: number;
}

/** One weighted term. */
export interface Term {
  /** Which of the five. */
  readonly name: TermName;
  /** Its weight in Eq. 6, above 0. */
  readonly weight: number;
  /** Rows it needs in each micro-batch; 0: it learns from no data. */
  readonly rows: number;
  /** Names of its metrics; the first is its loss, unweighted. */
  readonly metrics: readonly string[];
  /** Makes the rows of micro-batch `slot` of a step. Terms without rows have none. */
  prepare?(step: number, slot: number): TermBatch | Promise<TermBatch>;
  /** Uploads what was prepared for a slot beside the tokens; every summed weight is to be multiplied by `factor`. */
  upload?(slot: number, factor: number): void;
  /** Encodes making a slot's uploads the current ones. */
  select?(encoder: GPUCommandEncoder, slot: number): void;
  /** Records the loss of a micro-batch. */
  record?(tape: Tape, context: TermContext): void;
  /** Records what is added once a step, before the gradient's norm is taken. */
  recordOnce?(tape: Tape, context: UpdateContext): void;
  /** Words about the term's metrics of recent steps when something is wrong with them; empty: nothing is. */
  diagnose?(metrics: Readonly<Record<string, number>>): readonly string[];
  /** Frees what it owns. */
  destroy?(): void;
}

/**
 * Rows for counterfactual imagination (Eq. 9-12): the same demonstrated reply behind a context h and behind its perturbation h_delta.
 * No row of tokens may occur twice among `original` and `perturbed`: a context with several perturbations is repeated.
 */
export interface PerturbedBatch {
  /** Rows with h and with h_delta, in any order; `weights` are 0 but on the tokens of the reply under h_delta, for the cross-entropy part. */
  readonly tokens: TokenBatch;
  /** Places (row * length + position) that predict the reply's tokens under h. */
  readonly original: Uint32Array;
  /** The places that predict the same tokens under h_delta, one for each of `original`. */
  readonly perturbed: Uint32Array;
  /** Weight of each couple in the KL part, at least 0. */
  readonly weights: Float32Array;
}

/** Makes {@linkcode PerturbedBatch}es; may search with the live policy. */
export interface PerturbationSource {
  /** Rows of each batch. */
  readonly rows: number;
  /** Most couples of places a batch can have. */
  readonly couples: number;
  /** Micro-batch `slot` of a step. */
  batch(step: number, slot: number): PerturbedBatch | Promise<PerturbedBatch>;
}

/**
 * Rows for the value capacitor's loss (Eq. 13): replies sampled from the live policy. The gradient is the score function's,
 * mean over replies of (cost - baseline) grad log pi(a | h), so minimising lowers the probability of costly replies.
 */
export interface SampledBatch {
  /** A reply a row (or packed); `weights` are the signed (cost - baseline) of its reply on each of the reply's tokens, 0 elsewhere. */
  readonly tokens: TokenBatch;
  /** Number of replies. */
  readonly replies: number;
  /** Sum over replies of the cost 1{M_phi(h, a) not in I} d_I(h, a): the loss itself. */
  readonly cost: number;
  /** Number of replies that the world model calls unsafe. */
  readonly unsafe: number;
}

/** Makes {@linkcode SampledBatch}es with the live policy. */
export interface SampleSource {
  /** Rows of each batch. */
  readonly rows: number;
  /** Micro-batch `slot` of a step. */
  batch(step: number, slot: number): SampledBatch | Promise<SampledBatch>;
}
