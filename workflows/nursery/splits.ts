/**
 * Four disjoint worlds: train (all learning), validation (gates, early stopping, thresholds),
 * certification (the certificate) and test (what is reported). A number used to decide is never a
 * number reported.
 *
 * What is hashed is always the whole combination (an act, an argument list, a fact with its
 * wording), never an answer: holding out answers would teach a policy that they do not occur, and
 * scores would fall below chance.
 */
import { hash32, type Random } from "../data/random.ts";

/** The four splits in order. */
export const SPLITS = ["train", "validation", "certification", "test"] as const;
/** One of {@linkcode SPLITS}. */
export type Split = (typeof SPLITS)[number];

/** Share of all combinations in each split; they add up to 1. */
export const SPLIT_SHARES: Readonly<Record<Split, number>> = {
  train: 0.64,
  validation: 0.1,
  certification: 0.13,
  test: 0.13,
};

/** Fewest items that {@linkcode splitTable} divides; shorter lists are shared by all splits. */
export const SMALLEST_DIVIDED_LIST = 16;

/** The split of one combination; fixed for ever, whatever the seed of a run. */
export function splitOf(domain: string, ...parts: readonly (number | string)[]): Split {
  let rest = hash32("split", domain, ...parts) / 0x1_0000_0000;
  for (const split of SPLITS) {
    rest -= SPLIT_SHARES[split];
    if (rest < 0) return split;
  }
  return "test";
}

/**
 * Divides the numbers 0..count-1 among the splits in hashed order with exact shares, so that no
 * split is empty. A list shorter than {@linkcode SMALLEST_DIVIDED_LIST} is given whole to every
 * split: the combination it takes part in is divided elsewhere.
 */
export function splitTable(domain: string, count: number): Readonly<Record<Split, number[]>> {
  const all = Array.from({ length: count }, (_, i) => i);
  if (count < SMALLEST_DIVIDED_LIST) {
    return { train: all, validation: all, certification: all, test: all };
  }
  const order = all.map((i) => [hash32("split", domain, i), i]).sort((a, b) => a[0] - b[0]);
  const table: Record<Split, number[]> = { train: [], validation: [], certification: [], test: [] };
  order.forEach(([, item], rank) => {
    let rest = (rank + 0.5) / count;
    const split = SPLITS.find((s) => (rest -= SPLIT_SHARES[s]) < 0) ?? "test";
    table[split].push(item);
  });
  return table;
}

/**
 * The wordings in which a split may see one item: the last three in the item's own hashed order are
 * validation's, certification's and test's, the others are training's. Every item is thus learned,
 * in other words than it is tested.
 * @param count number of wordings, at least 4.
 */
export function wordingsOf(split: Split, domain: string, item: string, count: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i)
    .map((i) => [hash32("wording", domain, item, i), i])
    .sort((a, b) => a[0] - b[0])
    .map(([, i]) => i);
  return split === "train" ? order.slice(0, count - 3) : [order[count - SPLITS.indexOf(split)]];
}

/**
 * Draws until the combination lies in the wanted split.
 * @param key what identifies the combination, for {@linkcode splitOf}.
 */
export function drawInSplit<T>(
  split: Split,
  domain: string,
  random: Random,
  draw: (random: Random) => T,
  key: (value: T) => string,
): T {
  for (let tries = 0; tries < 10_000; tries++) {
    const value = draw(random);
    if (splitOf(domain, key(value)) === split) return value;
  }
  throw new Error(`nursery: no ${domain} combination of the split "${split}" in 10,000 draws`);
}
