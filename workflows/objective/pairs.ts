/**
 * Preference pairs in batches. The two replies to a prompt are about equally long, so pairs are packed once by the longer of both, and the
 * rows of chosen and rejected replies mirror each other: half of a batch's rows hold chosen replies, the other half the rejected ones.
 */
import { InputError } from "../../kernels/errors.ts";
import type { TokenBatch, TokenExample } from "../data/batch.ts";
import { assembleBatch } from "../data/pack/assemble.ts";
import { type PackedRow, packExamples } from "../data/pack/pack.ts";
import { MemorySource } from "../data/sources/memory.ts";
import type { TokenPair } from "../data/tokenise/tokenise.ts";
import { joinBatches } from "./joint.ts";

/** Tokens [from, to) of a batch, counted row by row. */
export interface Span {
  /** First token. */
  readonly from: number;
  /** Behind the last token. */
  readonly to: number;
}

/** Where a pair lies in a batch. */
export interface PlacedPair {
  /** Tells distinct pairs apart; equal pairs have equal numbers. */
  readonly id: number;
  /** The chosen reply behind its prompt. */
  readonly chosen: Span;
  /** The rejected reply behind the same prompt. */
  readonly rejected: Span;
}

/** Rows of pairs. Weights are 1 on the replies' tokens as targets, 0 elsewhere. */
export interface PreferenceBatch {
  /** Rows of chosen replies, then as many of rejected ones. */
  readonly tokens: TokenBatch;
  /** All pairs in them. */
  readonly pairs: readonly PlacedPair[];
}

/** An endless, numbered supply of pairs. */
export interface PreferenceSource {
  /** Places for tokens in a batch. */
  readonly tokensPerBatch: number;
  /** Batches until every pair was used once; null: there is no end. */
  readonly stepsPerEpoch: number | null;
  /** Batch number `step`, always the same. */
  batch(step: number): PreferenceBatch;
  /** One line for people. */
  describe(): string;
}

/** A pair as something to pack: as long as the longer of its replies. */
export interface PairItem extends TokenExample {
  /** See {@linkcode PlacedPair.id}. */
  readonly id: number;
  /** Both replies behind their prompt. */
  readonly pair: TokenPair;
}

/** A pair to be packed. */
export function pairItem(pair: TokenPair, id: number): PairItem {
  const { chosen, rejected } = pair;
  return { ...(chosen.ids.length >= rejected.ids.length ? chosen : rejected), id, pair };
}

/** Most pairs that rows of a batch can hold: a reply and its prompt are two tokens at least. */
export function mostPairs(rows: number, length: number): number {
  return rows / 2 * Math.floor(length / 2);
}

/**
 * Packs pairs into rows of `length`; none is cut.
 * @throws {InputError} when a reply with its prompt is longer than a row.
 */
export function packPairs(
  items: readonly PairItem[],
  length: number,
  packing: "bfd" | "none",
): PackedRow[] {
  for (const { pair } of items) {
    const longest = Math.max(pair.chosen.ids.length, pair.rejected.ids.length);
    if (longest <= length) continue;
    throw new InputError(
      `a preference pair of ${longest} tokens does not fit a row of ${length}: raise length`,
    );
  }
  return packExamples(items, length, packing);
}

/** Mirrored rows as a batch. */
export function assemblePairs(
  rows: readonly PackedRow[],
  length: number,
  padId: number,
): PreferenceBatch {
  const side = (which: "chosen" | "rejected") =>
    rows.map((row) =>
      row.map(({ example }) => {
        const reply = (example as PairItem).pair[which];
        return { example: reply, from: 0, to: reply.ids.length };
      })
    );
  const [chosen, rejected] = [side("chosen"), side("rejected")];
  const parts = [chosen, rejected].map((half) => assembleBatch(half, length, padId));
  const weights = Float32Array.of(...parts[0].weights, ...parts[1].weights);
  const spans = (half: readonly PackedRow[], firstRow: number): Span[] =>
    half.flatMap((row, r) => {
      let at = (firstRow + r) * length;
      return row.map(({ to }) => ({ from: at, to: at += to }));
    });
  const [from, behind] = [spans(chosen, 0), spans(rejected, rows.length)];
  const ids = rows.flatMap((row) => row.map(({ example }) => (example as PairItem).id));
  return {
    tokens: { ...joinBatches(parts, false), weights },
    pairs: ids.map((id, p) => ({ id, chosen: from[p], rejected: behind[p] })),
  };
}

/** Shape and order of batches of pairs. */
export interface PairBatchOptions {
  /** Rows of a batch, an even number. */
  readonly rows: number;
  /** Tokens of each row. */
  readonly length: number;
  /** Decides the order. */
  readonly seed: number;
  /** Several pairs in a row. */
  readonly packing: boolean;
  /** Any valid id. */
  readonly padId: number;
}

/**
 * Pairs in memory as a source: packed once, each epoch in its own order.
 * @throws {InputError} when there are none, or one does not fit.
 */
export function memoryPairs(
  pairs: readonly TokenPair[],
  { rows, length, seed, packing, padId }: PairBatchOptions,
): MemorySource<PackedRow, PreferenceBatch> {
  const packed = packPairs(pairs.map(pairItem), length, packing ? "bfd" : "none");
  return new MemorySource(
    packed,
    { rows: rows / 2, length, seed, padId },
    (items) => assemblePairs(items, length, padId),
    2 * length,
    `${pairs.length} preference pairs in ${packed.length} mirrored rows`,
  );
}
