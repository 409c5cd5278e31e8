/**
 * Exact value of a matrix game, by linear programming (von Neumann, 1928; Dantzig, 1951), and what
 * INFANT's Eq. 19 says of it.
 */
import { checkMatrix } from "../checks.ts";

/** Far more than any game here needs; rounding could defeat Bland's rule. */
const MOST_PIVOTS = 100_000;

/** An equilibrium in mixed strategies. */
export interface Equilibrium {
  /** What the row player, who minimises, pays. */
  readonly value: number;
  /** The row player's distribution. */
  readonly row: readonly number[];
  /** The column player's distribution. */
  readonly column: readonly number[];
}

/**
 * Solves a matrix game; the row player minimises.
 *
 * With payments shifted to be positive, u = row / value is the largest-sum solution of M^T u <= 1,
 * u >= 0, and the column player's strategy is its dual. Bland's rule keeps the simplex method from
 * cycling.
 * @throws {InputError} on a ragged or empty matrix.
 */
export function solveMatrixGame(matrix: readonly (readonly number[])[]): Equilibrium {
  checkMatrix("matrix", matrix);
  const [rows, columns] = [matrix.length, matrix[0].length];
  const shift = 1 - matrix.flat().reduce((a, b) => Math.min(a, b));
  const right = rows + columns;
  // One constraint a column of the game: payments, slack variables, right side.
  const tableau = matrix[0].map((_, j) => [
    ...matrix.map((row) => row[j] + shift),
    ...matrix[0].map((_, k) => Number(k === j)),
    1,
  ]);
  const costs = [...matrix.map(() => -1), ...matrix[0].map(() => 0), 0];
  const basis = matrix[0].map((_, j) => rows + j);
  const entering = () => costs.findIndex((cost, k) => k < right && cost < -1e-12);
  for (let enter = entering(), left = MOST_PIVOTS; enter >= 0; enter = entering()) {
    if (left-- === 0) throw new Error(`matrix game: no equilibrium in ${MOST_PIVOTS} pivots`);
    pivot(tableau, costs, basis, enter);
  }
  const scale = 1 / costs[right];
  const row = new Array<number>(rows).fill(0);
  basis.forEach((variable, j) => {
    if (variable < rows) row[variable] = tableau[j][right] * scale;
  });
  // Reduced costs of the slack variables are the dual solution.
  const column = costs.slice(rows, right).map((cost) => Math.max(0, cost * scale));
  return { value: scale - shift, row, column };
}

/** Brings a variable into the basis; of equal ratios, the variable with the lowest index leaves. */
function pivot(tableau: number[][], costs: number[], basis: number[], enter: number): void {
  const right = costs.length - 1;
  let leave = -1;
  let least = Infinity;
  for (const [j, line] of tableau.entries()) {
    if (line[enter] <= 1e-12) continue;
    const ratio = line[right] / line[enter];
    if (ratio < least || (ratio === least && basis[j] < basis[leave])) [leave, least] = [j, ratio];
  }
  const chosen = tableau[leave];
  const divisor = chosen[enter];
  for (let k = 0; k <= right; k++) chosen[k] /= divisor;
  for (const line of [...tableau, costs]) {
    const factor = line[enter];
    if (line === chosen || factor === 0) continue;
    for (let k = 0; k <= right; k++) line[k] -= factor * chosen[k];
  }
  basis[leave] = enter;
}

/** Values of a matrix game in pure strategies. */
export interface PureDuality {
  /** max over columns of min over rows. */
  readonly maxMin: number;
  /** min over rows of max over columns. */
  readonly minMax: number;
  /**
   * Left side of Eq. 19 as printed, maxMin - minMax. It is never above 0, so "<= epsilon" holds
   * always and says nothing about how near an equilibrium is; use the game's `nashGap`.
   */
  readonly eq19Printed: number;
}

/** Weak duality of a matrix game; the row player minimises. @throws {InputError} when ragged. */
export function pureDuality(matrix: readonly (readonly number[])[]): PureDuality {
  checkMatrix("matrix", matrix);
  const smallest = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b));
  const largest = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b));
  const maxMin = largest(matrix[0].map((_, j) => smallest(matrix.map((row) => row[j]))));
  const minMax = smallest(matrix.map(largest));
  return { maxMin, minMax, eq19Printed: maxMin - minMax };
}
