/**
 * Agreement of raters beyond chance (Cohen, 1960; Krippendorff, 2011).
 */
import { InputError } from "../../../kernels/errors.ts";
import {
  checkFinite,
  checkMatrix,
  checkNonNegative,
  checkSameLength,
  checkSome,
} from "../checks.ts";

/**
 * Cohen's kappa of a contingency table, without weights.
 * @param table square; rows are the first rater's categories, columns the second's
 * @throws {InputError} unless square with counts, or when chance alone gives full agreement.
 */
export function cohenKappa(table: readonly (readonly number[])[]): number {
  checkMatrix("table", table);
  checkSameLength("table[0]", table[0], "table", table);
  table.flat().forEach((count, i) => checkNonNegative(`counts[${i}]`, count));
  const total = table.flat().reduce((a, b) => a + b, 0);
  const rows = table.map((row) => row.reduce((a, b) => a + b, 0) / total);
  const columns = table[0].map((_, j) => table.reduce((sum, row) => sum + row[j], 0) / total);
  const observed = table.reduce((sum, row, i) => sum + row[i], 0) / total;
  const expected = rows.reduce((sum, share, i) => sum + share * columns[i], 0);
  if (expected < 1) return (observed - expected) / (1 - expected);
  throw new InputError("table: kappa needs ratings in more than one category");
}

/** How far two ratings are apart. */
export type RatingScale = "nominal" | "ordinal" | "interval";

/**
 * Krippendorff's alpha, 1 - observed / expected disagreement.
 * @param ratings a row for each rater, a column for each unit; null where a rating is missing.
 * Units with fewer than two ratings are left out.
 * @throws {InputError} on rows of different lengths, or ratings without two different values.
 */
export function krippendorffAlpha(
  ratings: readonly (readonly (number | null)[])[],
  scale: RatingScale,
): number {
  checkSome("ratings", ratings);
  ratings.forEach((row, r) => {
    checkSameLength(`ratings[${r}]`, row, "ratings[0]", ratings[0]);
    checkFinite(`ratings[${r}]`, row.filter((rating) => rating !== null));
  });
  const units = ratings[0]
    .map((_, u) => ratings.flatMap((row) => row[u] ?? []))
    .filter((unit) => unit.length >= 2);
  const values = [...new Set(units.flat())].sort((a, b) => a - b);
  if (values.length < 2) throw new InputError("ratings: alpha needs two different ratings");
  const counts = values.map((value) => units.flat().filter((rating) => rating === value).length);
  const total = counts.reduce((a, b) => a + b, 0);
  const difference = (a: number, b: number) => squaredDifference(scale, values, counts, a, b);
  let [observed, expected] = [0, 0];
  for (const unit of units) {
    const places = unit.map((rating) => values.indexOf(rating));
    for (const a of places) {
      for (const b of places) observed += difference(a, b) / (unit.length - 1);
    }
  }
  counts.forEach((count, a) =>
    counts.forEach((other, b) => expected += count * other * difference(a, b))
  );
  return 1 - observed / (expected / (total - 1));
}

/** Squared difference of the values at two places of the sorted list. */
function squaredDifference(
  scale: RatingScale,
  values: readonly number[],
  counts: readonly number[],
  a: number,
  b: number,
): number {
  if (a === b) return 0;
  if (scale === "nominal") return 1;
  if (scale === "interval") return (values[a] - values[b]) ** 2;
  const [low, high] = [Math.min(a, b), Math.max(a, b)];
  const between = counts.slice(low, high + 1).reduce((sum, count) => sum + count, 0);
  return (between - (counts[a] + counts[b]) / 2) ** 2;
}
