/**
 * L_VC (INFANT Eq. 13) on the GPU: an expectation over the policy's own replies, of a cost that no gradient flows through. Its gradient is
 * the score function's (Williams 1992): mean over replies of (cost - baseline) grad log pi(a | h). The reported loss is the measured
 * cost. Unsafe replies that the world model misses cost nothing here, and the loss says nothing of them.
 */
import type { Tape } from "../../kernels/gpu/tape.ts";
import { crossEntropy } from "../../kernels/losses/cross_entropy.ts";
import { sumInto } from "../../kernels/reduce/sum.ts";
import { Staged } from "./staged.ts";
import type { SampledBatch, SampleSource, Term, TermBatch, TermContext } from "./term.ts";

/** What the term is made of. */
export interface CapacitorOptions {
  /** Weight of the term in Eq. 6. */
  readonly weight: number;
  /** Rows of each micro-batch. */
  readonly rows: number;
  /** Tokens of each row. */
  readonly length: number;
  /** Micro-batches of a step. */
  readonly slots: number;
  /** The sampled replies; null where the step is only measured, not run. */
  readonly source: SampleSource | null;
}

/** The value capacitor's loss as a term. */
export class CapacitorTerm implements Term {
  /** Which term. */
  readonly name = "capacitor";
  /** In Eq. 6. */
  readonly weight: number;
  /** Rows of sampled replies. */
  readonly rows: number;
  /** Mean cost of a reply, and the share of replies that the world model calls unsafe. */
  readonly metrics: readonly string[] = ["loss", "unsafe"];
  readonly #options: CapacitorOptions;
  readonly #prepared: SampledBatch[] = [];
  #staged: Staged<ReturnType<typeof shapesOf>> | null = null;
  #firstToken = 0;

  /** Records nothing yet. */
  constructor(options: CapacitorOptions) {
    this.#options = options;
    this.weight = options.weight;
    this.rows = options.rows;
  }

  /** The sampled rows of a micro-batch; divided by the number of replies. */
  async prepare(step: number, slot: number): Promise<TermBatch> {
    const { source } = this.#options;
    if (!source) throw new Error("a capacitor term without samples cannot run");
    const batch = await source.batch(step, slot);
    this.#prepared[slot] = batch;
    return { tokens: batch.tokens, total: batch.replies };
  }

  /** Uploads signed weights and what was measured. */
  upload(slot: number, factor: number): void {
    const { tokens, cost, unsafe } = this.#prepared[slot];
    const weights = new Float32Array(this.#staged!.tensors.weights.columns);
    // crossEntropy is -sum w log pi, and descent shall make costly replies less likely.
    weights.set(tokens.weights.map((w) => -w * factor), this.#firstToken);
    this.#staged!.upload(slot, { weights, cost: [cost * factor], unsafe: [unsafe * factor] });
  }

  /** Makes a slot's rows the current ones. */
  select(encoder: GPUCommandEncoder, slot: number): void {
    this.#staged!.select(encoder, slot);
  }

  /** Records the surrogate whose gradient is the estimate, and the measured cost. */
  record(tape: Tape, context: TermContext): void {
    const { logits, tokens, firstRow, gradient, metrics, index } = context;
    const { length, slots } = this.#options;
    this.#firstToken = firstRow * length;
    this.#staged = new Staged(tape.gpu, "capacitor", slots, shapesOf(tokens.rows * length));
    const { weights, cost, unsafe } = this.#staged.tensors;
    crossEntropy(tape, logits, tokens.targets, weights, gradient);
    sumInto(tape, cost, metrics, index, { accumulate: true });
    sumInto(tape, unsafe, metrics, index + 1, { accumulate: true });
  }

  /** Frees the uploads. */
  destroy(): void {
    this.#staged?.destroy();
  }
}

function shapesOf(tokens: number) {
  return { weights: [tokens, "f32"], cost: [1, "f32"], unsafe: [1, "f32"] } as const;
}
