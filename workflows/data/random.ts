/**
 * Random numbers that can be reached by name instead of by history.
 *
 * A stream is keyed by a seed and any counters, so item i of a data set needs nothing but (seed,
 * i): that is what makes resuming, sharding and shuffling exact. Integers are mixed with the
 * lowbias32 finaliser (C. Wellons, "Prospecting for hash functions", 2018); a stream is sfc32 (C.
 * Doty-Humphrey, PractRand), whose 96-bit key keeps two of a million streams from coinciding, as
 * 32-bit keys would.
 */

/** A bijection of the 32-bit integers in which every input bit moves every output bit. */
export function mix32(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Hash of integers and strings, in order, to [0, 2^32). Not cryptographic. */
export function hash32(...parts: readonly (number | string)[]): number {
  let h = 0x9e3779b9;
  for (const part of parts) {
    if (typeof part === "number") h = mix32(h ^ part) + 0x85ebca6b;
    else {
      for (let i = 0; i < part.length; i++) h = mix32(h ^ part.charCodeAt(i)) + 0xc2b2ae35;
      h = mix32(h ^ part.length ^ 0x5bd1e995); // the length, so that ("ab", "c") is not ("a", "bc")
    }
  }
  return mix32(h);
}

/** A stream of random numbers, fixed by its key alone. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** Keys differ in any seed or counter; `new Random(7, "raw", 12)` is always the same stream. */
  constructor(...key: readonly (number | string)[]) {
    const h = hash32(...key);
    this.#a = h;
    this.#b = hash32(h, ...key);
    this.#c = hash32(this.#b, ...key, 1);
    for (let i = 0; i < 12; i++) this.next();
  }

  /** Uniform integer in [0, 2^32). */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1), 32 bits. */
  unit(): number {
    return this.next() / 0x1_0000_0000;
  }

  /** Uniform integer in [0, n), n <= 2^32. The bias of at most n / 2^32 is accepted. */
  below(n: number): number {
    return Math.floor(this.unit() * n);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  /** One item, uniformly. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** `count` different items in random order. */
  sample<T>(items: readonly T[], count: number): T[] {
    const pool = [...items];
    for (let i = 0; i < count; i++) {
      const j = i + this.below(pool.length - i);
      [pool[i], pool[j]] = [pool[j], pool[i]];
    }
    return pool.slice(0, count);
  }

  /** A key of `weights`, with probability proportional to its weight (>= 0, not all 0). */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    let total = 0;
    for (const key in weights) total += weights[key];
    let rest = this.unit() * total;
    let last: K | undefined;
    for (const key in weights) {
      if (weights[key] <= 0) continue;
      last = key;
      rest -= weights[key];
      if (rest < 0) break;
    }
    return last!;
  }
}
