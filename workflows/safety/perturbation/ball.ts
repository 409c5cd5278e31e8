/**
 * The constraint set C(h) of INFANT Eq. 12, counted exactly before anything is enumerated.
 *
 * Assumption 4.6 calls C(h) compact and convex; an edit-distance ball is a finite set of sequences, so "convex" has no meaning for
 * it, and a maximum over it is found by looking. A Levenshtein automaton (Schulz and Mihov 2002) reads a sequence left to right
 * and keeps, for every prefix of the word, the fewest edits so far. It is deterministic, so its paths are the members: each
 * member once. Counting paths gives the size without visiting members, walking paths in order enumerates them, and counts along
 * the way give the member of any rank, hence uniform draws.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { Random } from "../../data/random.ts";
import { type Editable, itemsOf } from "./edit_distance.ts";
import { type EditSpace, type WholeEditSpace, wholeSpace } from "./edit_space.ts";

/** A state of the automaton. */
interface Node {
  /** Entry j: fewest edits between what was read and the first j items of the word, cut off above the budget. */
  readonly row: readonly number[];
  /** How many members begin with what was read, by their distance 0..budget. */
  readonly counts: readonly bigint[];
  /** Their number at all distances. */
  readonly total: bigint;
}

/** The sequences that edits within the budget can reach; iterates over them in a fixed order. */
export class EditBall<T> implements Iterable<T[]> {
  /** What was asked for, whole. */
  readonly space: WholeEditSpace<T>;
  readonly #nodes = new Map<string, Node>();
  readonly #root: Node;
  /** All items that a member can hold: the alphabet in its order, then the word's other items. */
  readonly #symbols: readonly T[];
  readonly #insertable: ReadonlySet<T>;
  /** Symbols that lead to different states, with how many behave alike: those that the word lacks all do. */
  readonly #classes: readonly (readonly [symbol: T, copies: bigint])[];

  /** Counts the ball; no member is made. @throws {InputError} when the space is not well formed. */
  constructor(space: EditSpace<T>) {
    this.space = wholeSpace(space);
    const { word, alphabet, budget, editable } = this.space;
    this.#insertable = new Set(alphabet);
    this.#symbols = [...new Set([...alphabet, ...word])];
    const inWord = new Set(word);
    const others = alphabet.filter((symbol) => !inWord.has(symbol));
    this.#classes = [
      ...Array.from(inWord, (symbol) => [symbol, 1n] as const),
      ...others.slice(0, 1).map((symbol) => [symbol, BigInt(others.length)] as const),
    ];
    const row = [0];
    word.forEach((_, i) => row.push(cut(row[i] + (editable[i] ? 1 : Infinity), budget)));
    this.#root = this.#node(row)!;
  }

  /** Number of members at distance 0, 1, ... up to the budget. The distance counts allowed edits only. */
  get byDistance(): readonly bigint[] {
    return this.#root.counts;
  }

  /** Number of members, the word itself among them. */
  get size(): bigint {
    return this.#root.total;
  }

  /** Whether a sequence is a member. */
  has(sequence: readonly T[]): boolean {
    let node: Node | null = this.#root;
    for (const symbol of sequence) {
      node = node && this.#next(node, symbol);
      if (!node) return false;
    }
    return this.#accepts(node);
  }

  /** Member number `rank`, from 0. @throws {RangeError} when there are fewer. */
  at(rank: bigint): T[] {
    if (rank < 0n || rank >= this.size) {
      throw new RangeError(`edit ball: rank ${rank} of ${this.size} members`);
    }
    const member: T[] = [];
    for (let node = this.#root;;) {
      if (this.#accepts(node) && rank-- === 0n) return member;
      for (const symbol of this.#symbols) {
        const next = this.#next(node, symbol);
        if (!next) continue;
        if (rank < next.total) {
          member.push(symbol);
          node = next;
          break;
        }
        rank -= next.total;
      }
    }
  }

  /** A member, each with equal probability (up to 2^-32 of it). */
  sample(random: Random): T[] {
    // 32 bits more than the size has: what is left over by the division is that much smaller than a share.
    let drawn = 0n;
    for (let bits = 0; bits < this.size.toString(2).length + 32; bits += 32) {
      drawn = (drawn << 32n) | BigInt(random.next());
    }
    return this.at(drawn % this.size);
  }

  /** All members, shorter ones before longer ones that begin with them, otherwise in the order of the alphabet. */
  *[Symbol.iterator](): Generator<T[]> {
    yield* this.#walk(this.#root, []);
  }

  *#walk(node: Node, member: T[]): Generator<T[]> {
    if (this.#accepts(node)) yield [...member];
    for (const symbol of this.#symbols) {
      const next = this.#next(node, symbol);
      if (!next || next.total === 0n) continue;
      member.push(symbol);
      yield* this.#walk(next, member);
      member.pop();
    }
  }

  #accepts({ row }: Node): boolean {
    return row[row.length - 1] <= this.space.budget;
  }

  /** The state after one more symbol; null where nothing within the budget goes on like that. */
  #next({ row }: Node, symbol: T): Node | null {
    return this.#node(this.#step(row, symbol));
  }

  #step(row: readonly number[], symbol: T): number[] {
    const { word, budget, editable, open } = this.space;
    const put = this.#insertable.has(symbol) ? 1 : Infinity;
    const next: number[] = [];
    for (let j = 0; j <= word.length; j++) {
      let fewest = open[j] ? row[j] + put : Infinity;
      if (j > 0) {
        const free = editable[j - 1];
        const replaced = word[j - 1] === symbol ? 0 : free ? put : Infinity;
        fewest = Math.min(fewest, row[j - 1] + replaced, next[j - 1] + (free ? 1 : Infinity));
      }
      next.push(cut(fewest, budget));
    }
    return next;
  }

  #node(row: readonly number[]): Node | null {
    const { budget } = this.space;
    if (row.every((edits) => edits > budget)) return null;
    const key = row.join();
    const known = this.#nodes.get(key);
    if (known) return known;
    const counts = new Array<bigint>(budget + 1).fill(0n);
    const here = row[row.length - 1];
    if (here <= budget) counts[here] = 1n;
    for (const [symbol, copies] of this.#classes) {
      const next = this.#node(this.#step(row, symbol));
      next?.counts.forEach((count, d) => counts[d] += count * copies);
    }
    const node = { row, counts, total: counts.reduce((sum, count) => sum + count, 0n) };
    this.#nodes.set(key, node);
    return node;
  }
}

function cut(edits: number, budget: number): number {
  return Math.min(edits, budget + 1);
}

/**
 * The ball of Eq. 12 around a text or token sequence: every sequence over the alphabet within `budget` edits.
 * @throws {InputError} when the word holds an item that the alphabet lacks: it would not lie in its own ball.
 */
export function editBall<T = string>(
  word: Editable<T>,
  alphabet: Editable<T>,
  budget: number,
): EditBall<T> {
  const [items, symbols] = [itemsOf(word), itemsOf(alphabet)];
  const missing = items.find((item) => !symbols.includes(item));
  if (missing !== undefined) {
    throw new InputError(
      `edit ball: the alphabet lacks ${JSON.stringify(missing)}, which the word holds: add it`,
    );
  }
  return new EditBall<T>({ word: items, alphabet: symbols, budget });
}
