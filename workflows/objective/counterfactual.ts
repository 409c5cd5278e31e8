/**
 * L_CI (INFANT Eq. 9 to 12) on the GPU: half the KL between what the policy says to h and to its perturbation h_delta, half a hidden loss under
 * h_delta, which here is the cross-entropy of the demonstrated reply: it is small exactly where the perturbed request is answered as the
 * plain one should be. Which h_delta, the source decides (Eq. 11's maximum, Eq. 12's budget).
 */
import type { Tape } from "../../kernels/gpu/tape.ts";
import { crossEntropy } from "../../kernels/losses/cross_entropy.ts";
import { rowDivergence } from "../../kernels/losses/row_divergence.ts";
import { sumInto } from "../../kernels/reduce/sum.ts";
import { totalWeight } from "../data/pack/assemble.ts";
import { Staged } from "./staged.ts";
import type { PerturbationSource, PerturbedBatch, Term, TermBatch, TermContext } from "./term.ts";

/** What the term is made of. */
export interface CounterfactualOptions {
  /** Weight of the term in Eq. 6. */
  readonly weight: number;
  /** Rows of each micro-batch. */
  readonly rows: number;
  /** Tokens of each row. */
  readonly length: number;
  /** Micro-batches of a step. */
  readonly slots: number;
  /** Most couples of places that a micro-batch can have. */
  readonly couples: number;
  /** The perturbations; null where the step is only measured, not run. */
  readonly source: PerturbationSource | null;
  /** Share of the KL; the rest is the hidden loss. Default 0.5, Eq. 9. */
  readonly klShare?: number;
  /**
   * What the policy says to h counts as given. In print (Eq. 10, the default here) theta stands on both sides, and the cheapest way
   * to agree is to answer h less decidedly: measured in the nursery, that undoes refusals of plain requests.
   */
  readonly detachOriginal?: boolean;
}

/** Counterfactual imagination as a term. */
export class CounterfactualTerm implements Term {
  /** Which term. */
  readonly name = "counterfactual";
  /** In Eq. 6. */
  readonly weight: number;
  /** Rows with h and with h_delta. */
  readonly rows: number;
  /** The loss, the mean KL in nats per place of the reply, the mean hidden loss in nats per token. */
  readonly metrics: readonly string[] = ["loss", "kl", "hidden"];
  readonly #options: CounterfactualOptions;
  readonly #prepared: PerturbedBatch[] = [];
  #staged: Staged<ReturnType<typeof shapesOf>> | null = null;
  #firstToken = 0;

  /** Records nothing yet. */
  constructor(options: CounterfactualOptions) {
    this.#options = options;
    this.weight = options.weight;
    this.rows = options.rows;
  }

  /** The perturbed rows of a micro-batch; both parts divide by their own totals. */
  async prepare(step: number, slot: number): Promise<TermBatch> {
    const { source } = this.#options;
    if (!source) throw new Error("a counterfactual term without perturbations cannot run");
    const batch = await source.batch(step, slot);
    this.#prepared[slot] = batch;
    return { tokens: batch.tokens, total: 1 };
  }

  /** Uploads couples and weights. */
  upload(slot: number, factor: number): void {
    const { slots } = this.#options;
    const { tokens, original, perturbed, weights } = this.#prepared[slot];
    const share = (part: number, total: number) => total > 0 ? part * factor * slots / total : 0;
    const sum = (of: (batch: PerturbedBatch) => number) =>
      this.#prepared.slice(0, slots).reduce((total, batch) => total + of(batch), 0);
    const kl = this.#options.klShare ?? 0.5;
    const toKl = share(kl, sum((batch) => batch.weights.reduce((a, b) => a + b, 0)));
    const toHidden = share(1 - kl, sum((batch) => totalWeight(batch.tokens)));
    const { tensors } = this.#staged!;
    const tokenWeights = new Float32Array(tensors.tokenWeights.columns);
    tokenWeights.set(tokens.weights.map((w) => w * toHidden), this.#firstToken);
    this.#staged!.upload(slot, {
      first: original.map((place) => place + this.#firstToken),
      second: perturbed.map((place) => place + this.#firstToken),
      weights: weights.map((w) => w * toKl),
      tokenWeights,
    });
  }

  /** Makes a slot's rows the current ones. */
  select(encoder: GPUCommandEncoder, slot: number): void {
    this.#staged!.select(encoder, slot);
  }

  /** Records both parts on the shared logits. */
  record(tape: Tape, context: TermContext): void {
    const { logits, tokens, firstRow, gradient, metrics, index } = context;
    const { length, slots, couples, klShare = 0.5, detachOriginal } = this.#options;
    this.#firstToken = firstRow * length;
    const shapes = shapesOf(tokens.rows * length, couples);
    this.#staged = new Staged(tape.gpu, "counterfactual", slots, shapes);
    const staged = this.#staged.tensors;
    if (klShare > 0) {
      const kl = rowDivergence(tape, logits, staged, { gradient, detachFirst: detachOriginal });
      sumInto(tape, kl, metrics, index, { accumulate: true });
      sumInto(tape, kl, metrics, index + 1, { accumulate: true, scale: 1 / klShare });
    }
    if (klShare < 1) {
      const { value } = crossEntropy(tape, logits, tokens.targets, staged.tokenWeights, gradient);
      sumInto(tape, value, metrics, index, { accumulate: true });
      sumInto(tape, value, metrics, index + 2, { accumulate: true, scale: 1 / (1 - klShare) });
    }
  }

  /** Frees the uploads. */
  destroy(): void {
    this.#staged?.destroy();
  }
}

function shapesOf(tokens: number, couples: number) {
  return {
    first: [couples, "u32"],
    second: [couples, "u32"],
    weights: [couples, "f32"],
    tokenWeights: [tokens, "f32"],
  } as const;
}
