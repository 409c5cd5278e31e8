/**
 * Batches from examples that are held in memory: any step at once, in any order.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { TokenBatch, TokenExample } from "../batch.ts";
import { Permutation } from "../order/permutation.ts";
import { assembleBatch, padBatch } from "../pack/assemble.ts";
import { type PackedRow, packExamples, type Packing, packingDensity } from "../pack/pack.ts";
import type { TokenPair } from "../tokenise/tokenise.ts";
import type { BatchSource, PairBatch } from "./source.ts";

/** Shape and order of batches. */
export interface BatchOptions {
  /** Rows (or pairs) in a batch. */
  readonly rows: number;
  /** Tokens in a row. */
  readonly length: number;
  /** Decides the order. */
  readonly seed: number;
  /** Default true: each epoch in its own order. Without it every epoch is in the order given. */
  readonly shuffle?: boolean;
  /** Any valid id; default 0. */
  readonly padId?: number;
}

/** Batches of items (packed rows, pairs) put together by `assemble`. */
export class MemorySource<T, B> implements BatchSource<B> {
  /** See {@linkcode BatchSource}. */
  readonly tokensPerBatch: number;
  readonly #items: readonly T[];
  readonly #options: BatchOptions;
  readonly #assemble: (items: readonly T[]) => B;
  readonly #description: string;
  /** The order of the epoch asked for last; an epoch has one permutation and many steps. */
  #order: { epoch: number; permutation: Permutation } | null = null;

  /**
   * A source of batches of `options.rows` items.
   * @throws {InputError} when there are no items or the shape is not of positive whole numbers.
   */
  constructor(
    items: readonly T[],
    options: BatchOptions,
    assemble: (items: readonly T[]) => B,
    tokensPerItem: number,
    description: string,
  ) {
    if (items.length === 0) {
      throw new InputError("a batch source needs at least one example, found none");
    }
    checkShape(options);
    this.#items = items;
    this.#options = options;
    this.#assemble = assemble;
    this.#description = description;
    this.tokensPerBatch = options.rows * tokensPerItem;
  }

  /** Batch number `step`, from 0. */
  batch(step: number): B {
    checkStep(step);
    const { rows } = this.#options;
    return this.#assemble(Array.from({ length: rows }, (_, r) => this.#item(step * rows + r)));
  }

  /** Steps until every item was used once (the last of them may begin the next epoch). */
  get stepsPerEpoch(): number {
    return Math.ceil(this.#items.length / this.#options.rows);
  }

  /** One line for people and logs. */
  describe(): string {
    const { rows, length, shuffle = true, seed } = this.#options;
    return `${this.#description}, ${rows} x ${length} a batch, ${this.stepsPerEpoch} batches an epoch, ` +
      (shuffle ? `shuffled (seed ${seed})` : "in order");
  }

  #item(moment: number): T {
    const size = this.#items.length;
    if (this.#options.shuffle === false) return this.#items[moment % size];
    const epoch = Math.floor(moment / size);
    if (this.#order?.epoch !== epoch) {
      this.#order = { epoch, permutation: new Permutation(size, this.#options.seed, epoch) };
    }
    return this.#items[this.#order.permutation.at(moment - epoch * size)];
  }
}

/** A source of packed batches. Examples are packed once; epochs differ in the order of the packed rows. */
export function packedSource(
  examples: readonly TokenExample[],
  options: BatchOptions & { readonly packing: Packing },
): MemorySource<PackedRow, TokenBatch> {
  const { length, packing, padId = 0 } = options;
  const rows = packExamples(examples, length, packing);
  const density = (100 * packingDensity(rows, length)).toFixed(1);
  return new MemorySource(
    rows,
    options,
    (items) => assembleBatch(items, length, padId),
    length,
    `${examples.length} examples in ${rows.length} rows (packing ${packing}, ${density} % tokens)`,
  );
}

/** A source of preference batches, one pair a row, padded. */
export function pairSource(
  pairs: readonly TokenPair[],
  options: BatchOptions,
): MemorySource<TokenPair, PairBatch> {
  const { length, padId = 0 } = options;
  return new MemorySource(
    pairs,
    options,
    (items) => ({
      chosen: padBatch(items.map((pair) => pair.chosen), length, padId),
      rejected: padBatch(items.map((pair) => pair.rejected), length, padId),
    }),
    2 * length,
    `${pairs.length} preference pairs`,
  );
}

/** @throws {InputError} unless rows and length are positive whole numbers. */
export function checkShape({ rows, length }: { rows: number; length: number }): void {
  for (const [name, value] of Object.entries({ rows, length })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new InputError(`${name}: must be a positive whole number, found ${value}`);
    }
  }
}

/** @throws {InputError} unless the step is a whole number from 0. */
export function checkStep(step: number): void {
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new InputError(`step: must be a whole number from 0, found ${step}`);
  }
}
