/**
 * The edit distance d_edit of INFANT Eq. 12: the fewest insertions, deletions and substitutions, each of cost 1, that turn one
 * sequence into another (Levenshtein 1966).
 *
 * Texts are sequences of Unicode code points, compared without normalisation: "é" as one code point and as e with an accent are
 * two edits apart, and an emoji counts once although JavaScript stores it in two code units. Token sequences are compared
 * token by token.
 */
import { InputError } from "../../../kernels/errors.ts";

/** A text, or any sequence whose items are compared by `===`. */
export type Editable<T> = string | readonly T[];

/** The items of a sequence; those of a text are its code points. */
export function itemsOf<T>(sequence: Editable<T>): readonly T[] {
  return typeof sequence === "string" ? [...sequence] as T[] : sequence;
}

/** d_edit(a, b), from 0 to the longer one's length. */
export function editDistance<T>(a: Editable<T>, b: Editable<T>): number {
  const [x, y] = [itemsOf(a), itemsOf(b)];
  return editDistanceWithin(x, y, Math.max(x.length, y.length))!;
}

/**
 * d_edit(a, b) where it is at most `budget`, else null.
 *
 * Only cells within `budget` of the diagonal can lie on a path that cheap (Ukkonen 1985): time O(budget * length), not
 * O(length^2), and none at all where the lengths differ by more.
 * @throws {InputError} when the budget is not a whole number of at least 0.
 */
export function editDistanceWithin<T>(
  a: Editable<T>,
  b: Editable<T>,
  budget: number,
): number | null {
  checkBudget(budget);
  const [x, y] = [itemsOf(a), itemsOf(b)];
  if (Math.abs(x.length - y.length) > budget) return null;
  const tooFar = budget + 1;
  // row[j] is d_edit(x up to i, y up to j), or anything above the budget where that is above it.
  let row = Array.from({ length: y.length + 1 }, (_, j) => Math.min(j, tooFar));
  for (let i = 1; i <= x.length; i++) {
    const next = new Array<number>(y.length + 1).fill(tooFar);
    if (i <= budget) next[0] = i;
    for (let j = Math.max(1, i - budget); j <= Math.min(y.length, i + budget); j++) {
      const swapped = row[j - 1] + (x[i - 1] === y[j - 1] ? 0 : 1);
      next[j] = Math.min(swapped, row[j] + 1, next[j - 1] + 1, tooFar);
    }
    row = next;
  }
  return row[y.length] <= budget ? row[y.length] : null;
}

/** d_edit(a, b) divided by the length of the longer one, in [0, 1]; 0 for two empty ones. Not a metric. */
export function normalisedEditDistance<T>(a: Editable<T>, b: Editable<T>): number {
  const longest = Math.max(itemsOf(a).length, itemsOf(b).length);
  return longest === 0 ? 0 : editDistance(a, b) / longest;
}

/** Checks an edit budget k_max. @throws {InputError} when it is not a whole number of at least 0. */
export function checkBudget(budget: number): void {
  if (!Number.isSafeInteger(budget) || budget < 0) {
    throw new InputError(
      `edit budget: expected a whole number of at least 0, found ${budget}: set k_max to e.g. 2`,
    );
  }
}
