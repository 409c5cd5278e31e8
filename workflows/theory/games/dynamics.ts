/**
 * Gradient play: simultaneous descent-ascent and extragradient (Korpelevich, 1976).
 *
 * What INFANT's Theorem 4.7 claims of gradient descent-ascent holds in one setting: the AVERAGE of
 * the iterates, in a convex-concave game on bounded sets. The last iterate of plain descent-ascent
 * spirals outwards even on f(x, y) = x y; extragradient's converges. On games that are not
 * convex-concave, such as neural policies, no equilibrium need exist and neither has a rate.
 */
import { checkNonNegative, checkPositive, checkWhole } from "../checks.ts";
import { checkPoint, type Game, type Point } from "./game.ts";

/** Length of a run and size of its steps. */
export interface PlayOptions {
  /** Number T of steps, at least 1. */
  readonly steps: number;
  /** Step size of both players, above 0. */
  readonly rate: number;
}

/** Where a run ended. */
export interface Play {
  /** The last iterate. */
  readonly last: Point;
  /** Mean of the iterates 1 to T. */
  readonly average: Point;
}

/** A run of extragradient. */
export interface ExtragradientPlay extends Play {
  /** Mean of the points ahead, whose Nash gap falls as 1/T in a bounded convex-concave game. */
  readonly averageAhead: Point;
}

function moved({ x, y }: Point, gradient: Point, rate: number): Point {
  return {
    x: x.map((value, i) => value - rate * gradient.x[i]),
    y: y.map((value, j) => value + rate * gradient.y[j]),
  };
}

/** Running mean of points. */
class Mean {
  readonly #x: number[];
  readonly #y: number[];
  #count = 0;

  constructor([x, y]: Game["sizes"]) {
    this.#x = new Array<number>(x).fill(0);
    this.#y = new Array<number>(y).fill(0);
  }

  add({ x, y }: Point): void {
    this.#count++;
    x.forEach((value, i) => this.#x[i] += value);
    y.forEach((value, j) => this.#y[j] += value);
  }

  get point(): Point {
    const mean = (sums: readonly number[]) => sums.map((sum) => sum / this.#count);
    return { x: mean(this.#x), y: mean(this.#y) };
  }
}

function checkPlay(game: Game, start: Point, { steps, rate }: PlayOptions): void {
  checkPoint(game, start);
  checkWhole("steps", steps, 1);
  checkPositive("rate", rate);
}

/**
 * Simultaneous projected gradient descent-ascent: both players step along their gradients at the
 * same point.
 *
 * @example
 * ```ts
 * import { theory } from "@infant/toolkit";
 *
 * const game = theory.bilinearGame([[1]], 1); // f = x y on [-1, 1]^2
 * const play = { steps: 400, rate: 1 / Math.sqrt(400) };
 * const { last, average } = theory.gradientDescentAscent(game, { x: [1], y: [0.5] }, play);
 * console.log(game.nashGap(last) > 1, game.nashGap(average) < 0.1); // true true
 * ```
 * @throws {InputError} on a point that does not fit the game, or bad options.
 */
export function gradientDescentAscent(game: Game, start: Point, options: PlayOptions): Play {
  checkPlay(game, start, options);
  const average = new Mean(game.sizes);
  let last = start;
  for (let t = 0; t < options.steps; t++) {
    last = game.project(moved(last, game.gradient(last), options.rate));
    average.add(last);
  }
  return { last, average: average.point };
}

/**
 * Extragradient: a look-ahead step, then the real step from the same point with the gradients found
 * ahead.
 * @throws {InputError} on a point that does not fit the game, or bad options.
 */
export function extragradient(game: Game, start: Point, options: PlayOptions): ExtragradientPlay {
  checkPlay(game, start, options);
  const [average, averageAhead] = [new Mean(game.sizes), new Mean(game.sizes)];
  let last = start;
  for (let t = 0; t < options.steps; t++) {
    const ahead = game.project(moved(last, game.gradient(last), options.rate));
    last = game.project(moved(last, game.gradient(ahead), options.rate));
    average.add(last);
    averageAhead.add(ahead);
  }
  return { last, average: average.point, averageAhead: averageAhead.point };
}

/**
 * What averaged descent-ascent guarantees: after T steps the Nash gap of the mean of the iterates 0
 * to T - 1 is at most D^2 / (2 eta T) + eta G^2 / 2; with eta = c / sqrt(T) this is the
 * O(1/sqrt(T)) of Theorem 4.7 and Eq. 23, with its constants.
 * @param distanceSquared D^2: largest squared distance from the start to any permitted pair
 * @param gradientSquared G^2: largest squared norm of both gradients together
 * @throws {InputError} on negative numbers or bad options.
 */
export function averagedGapBound(
  distanceSquared: number,
  gradientSquared: number,
  { steps, rate }: PlayOptions,
): number {
  checkNonNegative("distanceSquared", distanceSquared);
  checkNonNegative("gradientSquared", gradientSquared);
  checkWhole("steps", steps, 1);
  checkPositive("rate", rate);
  return distanceSquared / (2 * rate * steps) + rate * gradientSquared / 2;
}
