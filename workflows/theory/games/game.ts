/**
 * Convex-concave games between a player x that minimises and a player y that maximises, with the
 * measure of how far a pair of strategies is from equilibrium (INFANT, Theorem 4.7).
 *
 * The measure is the Nash gap, max f(x, y') - min f(x', y). It is at least 0, and 0 exactly at an
 * equilibrium. What the paper bounds in Eq. 19 is max min f - min max f, which is never above 0 for
 * any function (weak duality) and so proves nothing; `pureDuality` shows it.
 */
import { InputError } from "../../../kernels/errors.ts";
import { checkFinite, checkMatrix, checkPositive, checkSameLength } from "../checks.ts";

/** Strategies of both players. */
export interface Point {
  /** Strategy of the player that minimises. */
  readonly x: readonly number[];
  /** Strategy of the player that maximises. */
  readonly y: readonly number[];
}

/** A game whose gradients, strategy sets and Nash gap are known exactly. */
export interface Game {
  /** Sizes of x and y. */
  readonly sizes: readonly [x: number, y: number];
  /** Gradients of f in x and in y. */
  gradient(point: Point): Point;
  /** The nearest pair of permitted strategies. */
  project(point: Point): Point;
  /** max over y' of f(x, y') - min over x' of f(x', y), at least 0; infinite without a bound. */
  nashGap(point: Point): number;
}

/** M y. */
export function times(matrix: readonly (readonly number[])[], y: readonly number[]): number[] {
  return matrix.map((row) => row.reduce((sum, value, j) => sum + value * y[j], 0));
}

/** M^T x. */
export function transposeTimes(
  matrix: readonly (readonly number[])[],
  x: readonly number[],
): number[] {
  return matrix[0].map((_, j) => matrix.reduce((sum, row, i) => sum + row[j] * x[i], 0));
}

const squares = (values: readonly number[]) => values.reduce((sum, value) => sum + value ** 2, 0);
const absolutes = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + Math.abs(value), 0);

/** @throws {InputError} unless a point has the game's sizes and finite entries. */
export function checkPoint({ sizes }: Game, { x, y }: Point): void {
  checkSameLength("x", x, "the game's x", { length: sizes[0] });
  checkSameLength("y", y, "the game's y", { length: sizes[1] });
  checkFinite("x", x);
  checkFinite("y", y);
}

/**
 * f(x, y) = x^T M y, every entry of x and y within [-box, box].
 * @param matrix M, [size of x][size of y]
 * @param box above 0; infinite for a game without bounds, whose gap is infinite off equilibrium
 * @throws {InputError} on a ragged matrix or a bad box.
 */
export function bilinearGame(matrix: readonly (readonly number[])[], box = Infinity): Game {
  checkMatrix("matrix", matrix);
  if (!(box > 0)) throw new InputError(`box: expected a number above 0, found ${box}`);
  const clip = (values: readonly number[]) =>
    values.map((value) => Math.min(box, Math.max(-box, value)));
  return {
    sizes: [matrix.length, matrix[0].length],
    gradient: ({ x, y }) => ({ x: times(matrix, y), y: transposeTimes(matrix, x) }),
    project: ({ x, y }) => ({ x: clip(x), y: clip(y) }),
    nashGap({ x, y }) {
      const slack = absolutes(transposeTimes(matrix, x)) + absolutes(times(matrix, y));
      return slack === 0 ? 0 : box * slack;
    },
  };
}

/**
 * f(x, y) = (mu/2)|x|^2 + x^T M y - (mu/2)|y|^2: strongly convex-concave, equilibrium at 0.
 * @param mu above 0
 * @throws {InputError} on a ragged matrix or a bad mu.
 */
export function quadraticGame(mu: number, matrix: readonly (readonly number[])[]): Game {
  checkPositive("mu", mu);
  checkMatrix("matrix", matrix);
  return {
    sizes: [matrix.length, matrix[0].length],
    gradient({ x, y }) {
      const [forX, forY] = [times(matrix, y), transposeTimes(matrix, x)];
      return {
        x: x.map((value, i) => mu * value + forX[i]),
        y: y.map((value, j) => forY[j] - mu * value),
      };
    },
    project: (point) => point,
    // Best responses: y' = M^T x / mu and x' = -M y / mu.
    nashGap: ({ x, y }) =>
      mu / 2 * (squares(x) + squares(y)) +
      (squares(transposeTimes(matrix, x)) + squares(times(matrix, y))) / (2 * mu),
  };
}

/**
 * The mixed extension of a matrix game: f(p, q) = p^T M q over probability distributions; the row
 * player minimises.
 * @throws {InputError} on a ragged matrix.
 */
export function matrixGame(matrix: readonly (readonly number[])[]): Game {
  checkMatrix("matrix", matrix);
  return {
    sizes: [matrix.length, matrix[0].length],
    gradient: ({ x, y }) => ({ x: times(matrix, y), y: transposeTimes(matrix, x) }),
    project: ({ x, y }) => ({ x: projectToSimplex(x), y: projectToSimplex(y) }),
    nashGap: ({ x, y }) =>
      transposeTimes(matrix, x).reduce((a, b) => Math.max(a, b)) -
      times(matrix, y).reduce((a, b) => Math.min(a, b)),
  };
}

/** The nearest probability distribution in Euclidean distance (Held, Wolfe & Crowder, 1974). */
export function projectToSimplex(values: readonly number[]): number[] {
  const falling = [...values].sort((a, b) => b - a);
  let sum = 0;
  let shift = 0;
  for (const [i, value] of falling.entries()) {
    sum += value;
    if (value > (sum - 1) / (i + 1)) shift = (sum - 1) / (i + 1);
  }
  return values.map((value) => Math.max(0, value - shift));
}
