/**
 * Where each reply of many cases lies in packed rows: what is read back is found again by place, and places of the same
 * reply behind a context and behind its perturbation are coupled.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { TokenBatch, TokenExample } from "../../data/batch.ts";
import { assembleBatch } from "../../data/pack/assemble.ts";
import { type PackedRow, packExamples } from "../../data/pack/pack.ts";
import type { ReplyCase } from "./hidden_loss.ts";

/** Where a case's reply is predicted: in the places `first` to `first + count - 1` of a batch. */
export interface PlacedCase {
  /** Number of the case. */
  readonly index: number;
  /** Place (row * length + position) that predicts the first token of the reply. */
  readonly first: number;
  /** Tokens of the reply. */
  readonly count: number;
}

/** Cases in a batch; `rows.weights` are 1 where a token of a reply is predicted, else 0. */
export interface PlacedCases {
  /** The batch. */
  readonly rows: TokenBatch;
  /** Its cases. */
  readonly placed: readonly PlacedCase[];
}

/** A case as the packing code takes it, which keeps the object. */
interface Item extends TokenExample {
  readonly index: number;
  readonly context: number;
}

/**
 * Packs cases into batches of at most `most` rows of `length` tokens; the number of rows is a power of two, or `most`.
 * Cases `group` by `group` stay in one batch.
 * @throws {InputError} when a case has no context or no reply, or is longer than a row.
 */
export function placeCases(
  cases: readonly ReplyCase[],
  length: number,
  most: number,
  group = 1,
): PlacedCases[] {
  const items = cases.map((one, index) => itemOf(one, index, length));
  const batches: PlacedCases[] = [];
  for (let from = 0; from < items.length;) {
    const packed = packFirst(items.slice(from), length, most, group);
    const count = packed.reduce((sum, row) => sum + row.length, 0);
    if (count === 0) throw new InputError(`${group} cases do not fit ${most} rows: use more rows`);
    const rows = Math.min(most, 2 ** Math.ceil(Math.log2(packed.length)));
    batches.push(placeRows(packed, length, rows));
    from += count;
  }
  return batches;
}

/** Packs cases into exactly `count` rows: as many as fit, in their order, whole groups. */
export function placeInRows(
  cases: readonly ReplyCase[],
  length: number,
  count: number,
  group = 1,
): PlacedCases {
  const items = cases.map((one, index) => itemOf(one, index, length));
  return placeRows(packFirst(items, length, count, group), length, count);
}

/** As many of the first items as fit, whole groups: as many as there are tokens for, less what the packing wastes. */
function packFirst(
  items: readonly Item[],
  length: number,
  rows: number,
  group: number,
): PackedRow[] {
  let tokens = 0;
  let to = items.findIndex(({ ids }) => (tokens += ids.length) > rows * length);
  if (to < 0) to = items.length;
  for (to -= to % group;; to -= group) {
    const packed = packExamples(items.slice(0, to), length, "bfd");
    if (packed.length <= rows) return packed;
  }
}

function itemOf({ context, reply }: ReplyCase, index: number, length: number): Item {
  const ids = [...context, ...reply];
  if (context.length === 0 || reply.length === 0) {
    throw new InputError(
      `case ${index}: a context and a reply need at least one token each, ` +
        `found ${context.length} and ${reply.length}`,
    );
  }
  if (ids.length > length) {
    throw new InputError(
      `case ${index}: context and reply have ${ids.length} tokens, a row has ${length}: ` +
        `shorten it or use longer rows`,
    );
  }
  const weights = ids.map((_, i) => i < context.length ? 0 : 1);
  return { ids, weights, index, context: context.length };
}

function placeRows(packed: readonly PackedRow[], length: number, count: number): PlacedCases {
  const empty = Array.from({ length: count - packed.length }, () => []);
  const placed: PlacedCase[] = [];
  packed.forEach((row, r) => {
    let at = r * length;
    for (const { example } of row) {
      const { index, context, ids } = example as Item;
      placed.push({ index, first: at + context - 1, count: ids.length - context });
      at += ids.length;
    }
  });
  return { rows: assembleBatch([...packed, ...empty], length), placed };
}
