/**
 * The nearest valid name to a mistyped one, by Levenshtein's edit distance.
 */
import { distance } from "fastest-levenshtein";

/** The candidate nearest to `name`, or null when none is near enough to be what was meant. */
export function nearest(name: string, candidates: Iterable<string>): string | null {
  const plain = (text: string) => text.toLowerCase().replaceAll("-", "_");
  let best: string | null = null;
  let least = Infinity;
  for (const candidate of candidates) {
    const edits = distance(plain(name), plain(candidate));
    if (edits < least) [best, least] = [candidate, edits];
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
