/**
 * A shuffled order that is computed, not stored: which item comes i-th in epoch e is a function of
 * (seed, e, i), so a run can resume anywhere without replaying or saving anything.
 *
 * A Feistel network permutes the integers below a power of four; results outside the wanted range are
 * permuted again until they fall inside ("cycle walking", Black and Rogaway, CT-RSA 2002).
 */
import { InputError } from "../../../kernels/errors.ts";
import { hash32, mix32 } from "../random.ts";

/** Luby and Rackoff need four rounds of a good function; small domains profit from more. */
const ROUNDS = 8;

/** A pseudo-random permutation of 0..size-1, fixed by its key. */
export class Permutation {
  /** Number of items. */
  readonly size: number;
  /** Bits of each half. At least 4: tiny domains would leave too few different permutations. */
  readonly #halfBits: number;
  readonly #keys: number[];

  /**
   * A permutation of `size` items.
   * @param size number of items, 1 to 2^52.
   * @throws {InputError} for another size.
   */
  constructor(size: number, ...key: readonly (number | string)[]) {
    if (!Number.isSafeInteger(size) || size < 1 || size > 2 ** 52) {
      throw new InputError(`a permutation needs 1 to 2^52 items, found ${size}`);
    }
    this.size = size;
    this.#halfBits = Math.max(4, Math.ceil(Math.log2(size) / 2));
    this.#keys = Array.from({ length: ROUNDS }, (_, round) => hash32("permutation", ...key, round));
  }

  /** The item at a place in the order. */
  at(place: number): number {
    if (!Number.isSafeInteger(place) || place < 0 || place >= this.size) {
      throw new RangeError(`place ${place} is not in 0..${this.size - 1}`);
    }
    let item = place;
    do item = this.#permute(item); while (item >= this.size);
    return item;
  }

  #permute(value: number): number {
    const radix = 2 ** this.#halfBits;
    let left = Math.floor(value / radix);
    let right = value % radix;
    for (const key of this.#keys) {
      const mixed = mix32(mix32(right ^ key) + key) % radix;
      [left, right] = [right, (left ^ mixed) >>> 0];
    }
    return left * radix + right;
  }
}

/**
 * The item to use at any moment of training: epochs follow one another, each in its own order.
 * @param moment how many items were used before.
 */
export function shuffledItem(moment: number, size: number, seed: number): number {
  const epoch = Math.floor(moment / size);
  return new Permutation(size, seed, epoch).at(moment - epoch * size);
}
