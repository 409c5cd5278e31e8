/**
 * The micro-batches of a step: what every term learns from, laid behind one another, with weights that make each loss a mean over the step.
 */
import { InputError } from "../../kernels/errors.ts";
import type { Gpu } from "../../kernels/gpu/device.ts";
import { TokenTensors } from "../../kernels/policy/batch.ts";
import type { PolicyConfig } from "../../kernels/policy/config.ts";
import type { TokenBatch } from "../data/batch.ts";
import { totalKlWeight, totalWeight } from "../data/pack/assemble.ts";
import { hash32 } from "../data/random.ts";
import { joinBatches } from "../objective/joint.ts";
import type { Term, TermBatch } from "../objective/term.ts";
import type { ProgramSettings } from "./program_settings.ts";

/**
 * Room for one joint micro-batch, and for all of a step beside it.
 * @throws {InputError} when no term learns from data.
 */
export function tokensOf(
  gpu: Gpu,
  config: PolicyConfig,
  terms: readonly Term[],
  { length, accumulation }: ProgramSettings,
): TokenTensors {
  const rows = terms.reduce((sum, term) => sum + term.rows, 0);
  if (rows === 0) throw new InputError("nothing to learn from: no term with data has a weight");
  return new TokenTensors(gpu, config, rows, length, accumulation);
}

/** What the terms learn from in a step. */
export class MicroBatches {
  readonly #terms: readonly Term[];
  readonly #tokens: TokenTensors;
  readonly #settings: ProgramSettings;
  readonly #imprints: boolean;
  /** What the terms other than imprinting learn from in the next step. */
  #prepared: { readonly step: number; readonly batches: Map<Term, TermBatch[]> } | null = null;

  /** For terms in the order of their rows, value imprinting first. */
  constructor(terms: readonly Term[], tokens: TokenTensors, settings: ProgramSettings) {
    this.#terms = terms;
    this.#tokens = tokens;
    this.#settings = settings;
    this.#imprints = terms[0].name === "value_imprinting";
  }

  /** Lets the terms make what step number `step` learns from. */
  async prepare(step: number): Promise<void> {
    const batches = new Map<Term, TermBatch[]>();
    for (const term of this.#terms) {
      if (!term.prepare) continue;
      const made: TermBatch[] = [];
      for (let slot = 0; slot < this.#settings.accumulation; slot++) {
        made.push(await term.prepare(step, slot));
      }
      batches.set(term, made);
    }
    this.#prepared = { step, batches };
  }

  /**
   * Uploads all slots; `demonstrations` are value imprinting's, one for each.
   * @throws {InputError} when a term has nothing to learn from, or batches do not fit.
   */
  upload(step: number, demonstrations: readonly TokenBatch[], lossScale: number): void {
    const { accumulation, seed } = this.#settings;
    const all = this.#batchesOf(step, demonstrations);
    const factors = this.#terms.map((term, i) => this.#factor(step, term, all[i], lossScale));
    const klTotal = demonstrations.reduce((sum, batch) => sum + totalKlWeight(batch), 0);
    for (let slot = 0; slot < accumulation; slot++) {
      const parts = this.#terms.flatMap((term, i) => term.rows > 0 ? [all[i][slot].tokens] : []);
      // Each micro-batch drops other values, as the rows of one large batch would.
      this.#tokens.upload(joinBatches(parts, this.#imprints), {
        weightScale: this.#imprints ? factors[0] : 0,
        // The KL is a mean over its own contexts, also where they are fewer (Eq. 7; kl_on: benign).
        klScale: klTotal > 0 ? lossScale * this.#terms[0].weight / klTotal : 0,
        slot,
        seed: hash32(seed, step, slot),
      });
      this.#terms.forEach((term, i) => term.upload?.(slot, factors[i]));
    }
  }

  /** Encodes making a slot the current one. */
  select(encoder: GPUCommandEncoder, slot: number): void {
    this.#tokens.select(encoder, slot);
    for (const term of this.#terms) term.select?.(encoder, slot);
  }

  /** What a term's weights are to be multiplied by. */
  #factor(step: number, term: Term, batches: readonly TermBatch[], lossScale: number): number {
    if (term.rows === 0) return 0;
    const total = batches.reduce((sum, batch) => sum + batch.total, 0);
    if (total > 0) return lossScale * term.weight / total;
    throw new InputError(
      term.prepare
        ? `step ${step}: the term ${term.name} has nothing to learn from`
        : `step ${step}: no token of the batch has a weight above 0`,
    );
  }

  /** What each term learns from, micro-batch by micro-batch. */
  #batchesOf(step: number, demonstrations: readonly TokenBatch[]): (readonly TermBatch[])[] {
    const wanted = this.#imprints ? this.#settings.accumulation : 0;
    if (demonstrations.length !== wanted) {
      throw new InputError(`a step takes ${wanted} batches, got ${demonstrations.length}`);
    }
    return this.#terms.map((term) => {
      if (term.name === "value_imprinting") {
        return demonstrations.map((tokens) => ({ tokens, total: totalWeight(tokens) }));
      }
      if (!term.prepare) return [];
      if (this.#prepared?.step === step) return this.#prepared.batches.get(term)!;
      throw new Error(
        `step ${step}: call prepare(${step}) first, ${term.name} makes its batches then`,
      );
    });
  }
}
