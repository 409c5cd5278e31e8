/**
 * L_PO (INFANT Eq. 8): preference optimisation over packed pairs, as a term of the objective.
 *
 * The reference pi_ref is the policy at the stage's beginning, by one of three ways: the frozen weights under the adapters; a frozen copy
 * that reads the pairs' rows in every step; or log-probabilities computed once, before the first step, and uploaded with each pair.
 */
import type { Tape } from "../../kernels/gpu/tape.ts";
import type { Gpu } from "../../kernels/gpu/device.ts";
import type { Tensor } from "../../kernels/gpu/tensor.ts";
import { logProbGather } from "../../kernels/losses/cross_entropy.ts";
import {
  preference,
  PREFERENCE_METRICS,
  type PreferenceSettings,
} from "../../kernels/losses/preference.ts";
import { NO_SEQUENCE, sequenceSums } from "../../kernels/losses/sequence_sums.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import { languageModelHead, transformer } from "../../kernels/policy/transformer.ts";
import { NO_TARGET } from "../data/batch.ts";
import {
  mostPairs,
  type PlacedPair,
  type PreferenceBatch,
  type PreferenceSource,
} from "./pairs.ts";
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
    const { tokens, pairs } = this.#prepared[slot];
    const { reference } = this.#options;
    const most = mostPairs(this.rows, this.#options.length);
    const scored = tokens.weights.map((weight) => Number(weight === 1));
    const lengthOf = ({ from, to }: PlacedPair["chosen"]) =>
      scored.subarray(from, to).reduce((sum, one) => sum + one, 0);
    const both = (of: (pair: PlacedPair, which: "chosen" | "rejected") => readonly number[]) => {
      const sides = (["chosen", "rejected"] as const).map((which) =>
        pairs.flatMap((pair) => of(pair, which))
      );
      const width = pairs.length > 0 ? sides[0].length / pairs.length : 1;
      const values = new Float64Array(2 * most * width);
      values.set(sides[0]);
      values.set(sides[1], most * width);
      return values;
    };
    const owners = new Uint32Array(tokens.ids.length).fill(NO_SEQUENCE);
    pairs.forEach(({ chosen, rejected }, p) => {
      owners.fill(p, chosen.from, chosen.to);
      owners.fill(most + p, rejected.from, rejected.to);
    });
    const targets = tokens.targets.map((target, t) => scored[t] ? target : NO_TARGET);
    const segments = both((pair, which) => [pair[which].from, pair[which].to]);
    const first = this.#firstToken;
    const { tensors } = this.#staged!;
    const joint = (values: Uint32Array, none: number) => {
      const all = new Uint32Array(tensors.targets.columns).fill(none);
      all.set(values, first);
      return all;
    };
    const table = reference.kind === "precomputed" ? reference.table : null;
    const own = table === null;
    this.#staged!.upload(slot, {
      targets: joint(targets, NO_TARGET),
      sequenceOf: joint(owners, NO_SEQUENCE),
      segments: segments.map((at) => at + first),
      lengths: both((pair, which) => [lengthOf(pair[which])]),
      weights: pairs.map(() => factor),
      reference: table ? both(({ id }, which) => [table.get(id)![which === "chosen" ? 0 : 1]]) : [],
      ids: own ? tokens.ids : [],
      positions: own ? tokens.positions : [],
      starts: own ? tokens.starts : [],
      ownTargets: own ? targets : [],
      ownSequenceOf: own ? owners : [],
      ownSegments: own ? segments : [],
    });
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
    this.#staged = new Staged(tape.gpu as Gpu, "preference", slots, shapes);
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
    const { ids, positions, starts, ownTargets, ownSequenceOf, ownSegments } = this.#staged!
      .tensors;
    const policy = reference.kind === "resident" ? reference.policy : parameters;
    const input = { rows: this.rows, length, ids, positions, starts };
    const forward = () => {
      const hidden = transformer(tape, policy, input, { rope });
      const logits = languageModelHead(tape, policy, hidden);
      const logProb = logProbGather(tape, logits, ownTargets);
      return sequenceSums(tape, logProb, { segments: ownSegments, sequenceOf: ownSequenceOf });
    };
    return tape.noGrad(() =>
      reference.kind === "adapters" ? parameters.withoutAdapters(forward) : forward()
    );
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
