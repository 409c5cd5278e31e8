/**
 * What the self-tests of the kernels share: inputs, and the arithmetic of their formulas.
 */
/** What a kernel gave and what its formula gives. */
export type Pair = readonly [got: ArrayLike<number>, want: ArrayLike<number>];

/** Values between -2 and 2 without a pattern that a kernel could hide behind. */
export function values(count: number, seed: number): number[] {
  return Array.from(
    { length: count },
    (_, i) => Math.fround(2 * Math.sin(1 + 7.3 * seed + 1.7 * i ** 1.1)),
  );
}

/** Values of a matrix, row by row. */
export function table(
  rows: number,
  columns: number,
  at: (row: number, column: number) => number,
): number[] {
  return Array.from({ length: rows * columns }, (_, i) => at(Math.floor(i / columns), i % columns));
}

/** Sum in order. */
export function sum(terms: Iterable<number>): number {
  let total = 0;
  for (const term of terms) total += term;
  return total;
}

/** 0 .. count - 1. */
export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** x - log sum exp(x). */
export function logSoftmaxOf(row: readonly number[]): number[] {
  const log = Math.log(sum(row.map(Math.exp)));
  return row.map((x) => x - log);
}
