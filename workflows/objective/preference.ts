/**
 * L_PO (INFANT Eq. 8): preference optimisation over packed pairs, as a term of the objective.
 *
 * The reference pi_ref is the policy at the stage's beginning, by one of three ways: the frozen weights under the adapters; a frozen copy
 * that reads the pairs' rows in every step; or log-probabilities computed once, before the first step, and uploaded with each pair.
 */
import type { Tape } from "../../kernels/gpu/tape.ts";
import type { Tensor } from "../../kernels/gpu/tensor.ts";
import { logProbGather } from "../../kernels/losses/cross_entropy.ts";
import {
  preference,
  PREFERENCE_METRICS,
  type PreferenceSettings,
} from "../../kernels/losses/preference.ts";
import { NO_SEQUENCE, sequenceSums } from "../../kernels/losses/sequence_sums.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import { NO_TARGET } from "../data/batch.ts";
import {
  mostPairs,
  type PlacedPair,
  type PreferenceBatch,
  type PreferenceSource,
} from "./pairs.ts";
import { forEachReply, placesOf, recordPairSums } from "./placed.ts";
import { diagnosePreference } from "./preference_diagnosis.ts";
import { Staged } from "./staged.ts";
import type { Term, TermBatch, TermContext } from "./term.ts";

/** Log-probabilities [chosen, rejected] of pairs under the reference, by the pairs' ids. */
export type ReferenceTable = ReadonlyMap<number, readonly [chosen: number, rejected: number]>;

/** Where the reference's log-probabilities come from. */
export type Reference =
  /** The policy without its adapters. */
  | { readonly kind: "adapters" }
  /** A frozen copy. */
  | { readonly kind: "resident"; readonly policy: Parameters }
  /** A table made before the first step. */
  | { readonly kind: "precomputed"; readonly table: ReferenceTable };

/** What the term is made of. */
export interface PreferenceOptions {
  /** Weight of the term in Eq. 6. */
  readonly weight: number;
  /** Rows of pairs in each micro-batch, an even number. */
  readonly rows: number;
  /** Tokens of each row. */
  readonly length: number;
  /** Micro-batches of a step. */
  readonly slots: number;
  /** Which loss, and its numbers. */
  readonly settings: PreferenceSettings;
  /** Where the reference's log-probabilities come from. */
  readonly reference: Reference;
  /** The pairs; null where the step is only measured, not run. */
  readonly source: PreferenceSource | null;
}

/** Shapes of what is uploaded with each micro-batch. */
function shapesOf(tokens: number, own: number, pairs: number, resident: boolean) {
  return {
    targets: [tokens, "u32"],
    sequenceOf: [tokens, "u32"],
    segments: [4 * pairs, "u32"],
    lengths: [2 * pairs, "f32"],
    weights: [pairs, "f32"],
    reference: [2 * pairs, "f32"],
    // What a reference that reads the rows itself needs, counted from the term's first row.
    ids: [resident ? own : 1, "u32"],
    positions: [resident ? own : 1, "u32"],
    starts: [resident ? own : 1, "u32"],
    ownTargets: [resident ? own : 1, "u32"],
    ownSequenceOf: [resident ? own : 1, "u32"],
    ownSegments: [resident ? 4 * pairs : 2, "u32"],
  } as const;
}

type Shapes = ReturnType<typeof shapesOf>;

/** Preference optimisation as a term. */
export class PreferenceTerm implements Term {
  /** Which term. */
  readonly name = "preference";
  /** In Eq. 6. */
  readonly weight: number;
  /** Rows of pairs. */
  readonly rows: number;
  /** Means over the step's pairs; see `PREFERENCE_METRICS`. */
  readonly metrics: readonly string[] = PREFERENCE_METRICS;
  readonly #options: PreferenceOptions;
  readonly #prepared: PreferenceBatch[] = [];
  #staged: Staged<Shapes> | null = null;
  #firstToken = 0;

  /** Records nothing yet. */
  constructor(options: PreferenceOptions) {
    this.#options = options;
    this.weight = options.weight;
    this.rows = options.rows;
  }

  /** The pairs of a micro-batch; divided by their number. */
  prepare(step: number, slot: number): TermBatch {
    const { source, slots } = this.#options;
    if (!source) throw new Error("a preference term without pairs cannot run");
    const batch = source.batch(step * slots + slot);
    this.#prepared[slot] = batch;
    return { tokens: batch.tokens, total: batch.pairs.length };
  }

  /** Uploads where the pairs lie, and how much each counts. */
  upload(slot: number, factor: number): void {
    const batch = this.#prepared[slot];
    const { tokens, pairs } = batch;
    const most = mostPairs(this.rows, this.#options.length);
    const own = placesOf(batch, most);
    const staged = this.#staged!;
    const joint = (values: Uint32Array, none: number) => {
      const all = new Uint32Array(staged.tensors.targets.columns).fill(none);
      all.set(values, this.#firstToken);
      return all;
    };
    const read = staged.tensors.ids.columns > 1;
    staged.upload(slot, {
      targets: joint(own.targets, NO_TARGET),
      sequenceOf: joint(own.sequenceOf, NO_SEQUENCE),
      segments: own.segments.map((at) => at + this.#firstToken),
      lengths: own.lengths,
      weights: pairs.map(() => factor),
      reference: this.#tabled(pairs, most),
      ids: read ? tokens.ids : [],
      positions: read ? tokens.positions : [],
      starts: read ? tokens.starts : [],
      ownTargets: read ? own.targets : [],
      ownSequenceOf: read ? own.sequenceOf : [],
      ownSegments: read ? own.segments : [],
    });
  }

  /** The reference's log-probabilities from its table, where it is one. */
  #tabled(pairs: readonly PlacedPair[], most: number): Float32Array {
    const { reference } = this.#options;
    const values = new Float32Array(2 * most);
    if (reference.kind !== "precomputed") return values;
    forEachReply(pairs, most, (_span, sequence, { id }, side) => {
      const known = reference.table.get(id);
      if (!known) throw new Error(`preference pair ${id} has no reference log-probabilities`);
      values[sequence] = known[side === "chosen" ? 0 : 1];
    });
    return values;
  }

  /** Makes a slot's pairs the current ones. */
  select(encoder: GPUCommandEncoder, slot: number): void {
    this.#staged!.select(encoder, slot);
  }

  /** Records the loss on the shared logits, and the reference's forward pass where it reads the rows itself. */
  record(tape: Tape, context: TermContext): void {
    const { logits, tokens, firstRow, gradient, metrics, index } = context;
    const { length, slots, settings, reference } = this.#options;
    this.#firstToken = firstRow * length;
    const pairs = mostPairs(this.rows, length);
    const shapes = shapesOf(
      tokens.rows * length,
      this.rows * length,
      pairs,
      reference.kind !== "precomputed",
    );
    this.#staged = new Staged(tape.gpu, "preference", slots, shapes);
    const staged = this.#staged.tensors;
    const logProb = logProbGather(tape, logits, staged.targets, gradient);
    const sums = sequenceSums(tape, logProb, staged);
    const inputs = {
      sums,
      reference: reference.kind === "precomputed"
        ? staged.reference
        : this.#referenceSums(tape, context),
      lengths: staged.lengths,
      weights: staged.weights,
    };
    preference(tape, inputs, settings, metrics, index);
  }

  #referenceSums(tape: Tape, { parameters, rope }: TermContext): Tensor {
    const { length, reference } = this.#options;
    const { ids, positions, starts, ...own } = this.#staged!.tensors;
    const input = { rows: this.rows, length, ids, positions, starts };
    const places = {
      targets: own.ownTargets,
      sequenceOf: own.ownSequenceOf,
      segments: own.ownSegments,
    };
    const sums = (policy: Parameters) => recordPairSums(tape, policy, input, rope, places);
    if (reference.kind === "resident") return sums(reference.policy);
    return parameters.withoutAdapters(() => sums(parameters));
  }

  /** Words on what is wrong with the mean metrics of recent steps. */
  diagnose(metrics: Readonly<Record<string, number>>): readonly string[] {
    return diagnosePreference(metrics, this.#options.settings);
  }

  /** Frees the uploads. */
  destroy(): void {
    this.#staged?.destroy();
  }
}
