/**
 * The nearest valid name to a mistyped one: Levenshtein's edit distance, with a swap of two neighbours counted
 * as one edit (optimal string alignment), since that is the commonest slip of the fingers.
 */

/** Fewest insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(replace, row[j] + 1, next[j - 1] + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) next[j] = Math.min(next[j], before[j - 2] + 1);
    }
    before = row;
    row = next;
  }
  return row[b.length];
}

/** The candidate nearest to `name`, or null when none is near enough to be what was meant. */
export function nearest(name: string, candidates: Iterable<string>): string | null {
  const plain = (text: string) => text.toLowerCase().replaceAll("-", "_");
  let best: string | null = null;
  let least = Infinity;
  for (const candidate of candidates) {
    const distance = editDistance(plain(name), plain(candidate));
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best !== null && least <= Math.max(2, Math.floor(best.length / 3)) ? best : null;
}

/** A list longer than this helps nobody inside one line. */
const LISTED = 12;

/** ` (did you mean "x"?)`, or a list of what there is when nothing is near and the list is short. */
export function suggestion(name: string, candidates: Iterable<string>): string {
  const all = [...candidates];
  const best = nearest(name, all);
  if (best !== null) return ` (did you mean "${best}"?)`;
  return all.length <= LISTED ? `; there is ${all.join(", ")}` : "";
}
