/**
 * Bags of n-grams: which words, pairs of words and short runs of characters a text holds. Binary
 * and of length 1, so that a long text weighs no more than a short one.
 */
import { fold } from "./patterns/fold.ts";

/** Which n-grams are counted. */
export interface NgramOptions {
  /** Longest run of words, at least 1. */
  readonly words: number;
  /** Length of the runs of characters within words; 0 for none. */
  readonly characters: number;
}

/** The distinct n-grams of a text, spelled as {@linkcode fold} spells. */
export function ngramsOf(text: string, { words, characters }: NgramOptions): Set<string> {
  const tokens = fold(text).match(/[\p{L}\p{N}']+/gu) ?? [];
  const grams = new Set<string>();
  for (let i = 0; i < tokens.length; i++) {
    for (let n = 1; n <= words && i + n <= tokens.length; n++) {
      grams.add(tokens.slice(i, i + n).join(" "));
    }
    if (characters === 0) continue;
    const letters = [..."<" + tokens[i] + ">"];
    for (let j = 0; j + characters <= letters.length; j++) {
      grams.add(`#${letters.slice(j, j + characters).join("")}`);
    }
  }
  return grams;
}

/** A text's features as indices into a vocabulary; each has the value 1 / sqrt(count). */
export function featuresOf(
  text: string,
  vocabulary: ReadonlyMap<string, number>,
  options: NgramOptions,
): Int32Array {
  const found: number[] = [];
  for (const gram of ngramsOf(text, options)) {
    const index = vocabulary.get(gram);
    if (index !== undefined) found.push(index);
  }
  return Int32Array.from(found);
}

/**
 * The n-grams that occur in at least `minTexts` texts, the commonest `most` of them, in a fixed
 * order.
 */
export function buildVocabulary(
  texts: readonly string[],
  options: NgramOptions,
  minTexts: number,
  most: number,
): string[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const gram of ngramsOf(text, options)) counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count >= minTexts)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, most)
    .map(([gram]) => gram);
}
