/**
 * Fitting examples into rows of one length: best-fit decreasing, wrapped, or one example a row.
 *
 * Best-fit decreasing (`bfd`; Ding et al. 2024, arXiv:2404.10830) puts each example, longest first, where it
 * leaves the least space: whole examples, few padding tokens. `wrapped` fills every row to the end and lets
 * examples run over into the next. An example longer than a row is cut into pieces by all three; a piece
 * still predicts the first token of the next one, so no prediction is lost at a cut.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { TokenExample } from "../batch.ts";

/** Names as in TRL's `packing_strategy`; `none` pads each example to the full length. */
export type Packing = "bfd" | "wrapped" | "none";

/** Tokens `from` up to, not including, `to` of an example. */
export interface Piece {
  /** What it is a piece of. */
  readonly example: TokenExample;
  /** First token. */
  readonly from: number;
  /** Behind the last token. */
  readonly to: number;
}

/** Pieces that lie behind one another in a row; together at most its length. */
export type PackedRow = readonly Piece[];

/**
 * Packs examples into rows of `length` tokens. Deterministic; rows are in order of their first example's
 * length (`bfd`) or of the examples.
 */
export function packExamples(
  examples: readonly TokenExample[],
  length: number,
  packing: Packing,
): PackedRow[] {
  if (!Number.isSafeInteger(length) || length < 2) {
    throw new InputError(`length: a packed row must hold at least 2 tokens, found ${length}`);
  }
  switch (packing) {
    case "bfd":
      return packBestFit(examples.flatMap((example) => cut(example, length)), length);
    case "wrapped":
      return packWrapped(examples, length);
    case "none":
      return examples.flatMap((example) => cut(example, length)).map((piece) => [piece]);
    default:
      throw new InputError(
        `packing: expected bfd, wrapped or none, found ${JSON.stringify(packing)}`,
      );
  }
}

/** Share of the places in the rows that hold a token, from 0 to 1. */
export function packingDensity(rows: readonly PackedRow[], length: number): number {
  const tokens = rows.flat().reduce((sum, piece) => sum + piece.to - piece.from, 0);
  return rows.length === 0 ? 0 : tokens / (rows.length * length);
}

function cut(example: TokenExample, length: number): Piece[] {
  const pieces: Piece[] = [];
  for (let from = 0; from < example.ids.length; from += length) {
    pieces.push({ example, from, to: Math.min(from + length, example.ids.length) });
  }
  return pieces;
}

function packBestFit(pieces: Piece[], length: number): PackedRow[] {
  const rows: Piece[][] = [];
  const open = new OpenRows(length);
  // Sorting is stable, so equal lengths keep the order of the examples.
  for (const piece of pieces.sort((a, b) => (b.to - b.from) - (a.to - a.from))) {
    const size = piece.to - piece.from;
    const found = open.take(size);
    const row = found?.row ?? rows.push([]) - 1;
    rows[row].push(piece);
    open.put(row, (found?.space ?? length) - size);
  }
  return rows;
}

/** Rows by the space left in them, with a bit set of the spaces that occur: finding one is a scan of words. */
class OpenRows {
  readonly #bySpace: number[][];
  readonly #occurs: Uint32Array;

  constructor(length: number) {
    this.#bySpace = Array.from({ length: length + 1 }, () => []);
    this.#occurs = new Uint32Array((length >>> 5) + 1);
  }

  put(row: number, space: number): void {
    if (space === 0) return;
    this.#bySpace[space].push(row);
    this.#occurs[space >>> 5] |= 1 << (space & 31);
  }

  /** Removes and returns a row with the least space that suffices. */
  take(size: number): { row: number; space: number } | null {
    for (let word = size >>> 5; word < this.#occurs.length; word++) {
      const mask = word === size >>> 5 ? ~0 << (size & 31) : ~0;
      const bits = this.#occurs[word] & mask;
      if (bits === 0) continue;
      const space = word * 32 + 31 - Math.clz32(bits & -bits);
      const rows = this.#bySpace[space];
      const row = rows.pop()!;
      if (rows.length === 0) this.#occurs[word] &= ~(1 << (space & 31));
      return { row, space };
    }
    return null;
  }
}

function packWrapped(examples: readonly TokenExample[], length: number): PackedRow[] {
  const rows: Piece[][] = [];
  let space = 0;
  for (const example of examples) {
    for (let from = 0; from < example.ids.length;) {
      if (space === 0) {
        rows.push([]);
        space = length;
      }
      const to = Math.min(from + space, example.ids.length);
      rows.at(-1)!.push({ example, from, to });
      space -= to - from;
      from = to;
    }
  }
  return rows;
}
