/** Known answers on min-max games and maxima (INFANT, Theorem 4.7 and Lemma A.3). */
import { maximumOf, maximumOverInterval } from "../../theory/danskin.ts";
import {
  averagedGapBound,
  extragradient,
  gradientDescentAscent,
} from "../../theory/games/dynamics.ts";
import { bilinearGame, matrixGame, type Point, quadraticGame } from "../../theory/games/game.ts";
import { pureDuality, solveMatrixGame } from "../../theory/games/matrix_game.ts";
import { fitPowerLaw } from "../../theory/games/power_law.ts";
import { type Kinds, matrix, number, numbers, solve } from "./solve.ts";

const pair = ({ x, y }: Point) => [...x, ...y];
const norm = (point: Point) => Math.hypot(...pair(point));

/** Kinds solved here. */
export const GAME_KINDS: Kinds = {
  "infant.bilinear": solve(
    { a: number, eta: number, x0: number, y0: number, T: number },
    ({ a, eta, x0, y0, T }) => {
      const game = bilinearGame([[a]]);
      const [start, options] = [{ x: [x0], y: [y0] }, { steps: T, rate: eta }];
      const gda = gradientDescentAscent(game, start, options);
      const eg = extragradient(game, start, options);
      return {
        gdaLast: pair(gda.last),
        gdaNorm: norm(gda.last),
        egLast: pair(eg.last),
        egNorm: norm(eg.last),
        gdaAverage: pair(gda.average),
        egAverage: pair(eg.average),
      };
    },
  ),
  "infant.sc-sc": solve(
    { mu: number, a: number, eta: number, x0: number, y0: number, T: number },
    ({ mu, a, eta, x0, y0, T }) => {
      const game = quadraticGame(mu, [[a]]);
      const start = { x: [x0], y: [y0] };
      const gda = gradientDescentAscent(game, start, { steps: T, rate: eta }).last;
      const eg = extragradient(game, start, { steps: T, rate: eta }).last;
      // In this game every step shrinks the distance to the saddle by one factor.
      const once = gradientDescentAscent(game, start, { steps: 1, rate: eta }).last;
      return {
        gdaFactor: norm(once) / norm(start),
        gdaLast: pair(gda),
        egLast: pair(eg),
        gapStart: game.nashGap(start),
        gdaGap: game.nashGap(gda),
        egGap: game.nashGap(eg),
      };
    },
  ),
  "infant.projected-gda-rate": solve(
    { c: number, x0: number, y0: number, Ts: numbers },
    ({ c, x0, y0, Ts }) => {
      const game = bilinearGame([[1]], 1);
      const start = { x: [x0], y: [y0] };
      const distance = (1 + Math.abs(x0)) ** 2 + (1 + Math.abs(y0)) ** 2;
      const options = Ts.map((steps) => ({ steps, rate: c / Math.sqrt(steps) }));
      const gaps = options.map((play) =>
        game.nashGap(gradientDescentAscent(game, start, play).average)
      );
      return {
        gaps,
        slope: fitPowerLaw(Ts, gaps).slope,
        upper: options.map((play) => averagedGapBound(distance, 2, play)),
      };
    },
  ),
  "infant.loglog-slope": solve({ Ts: numbers, gaps: numbers }, ({ Ts, gaps }) => {
    const { slope, intercept, r2, slopeStandardError } = fitPowerLaw(Ts, gaps);
    return { slope, intercept, r2, slopeStdErr: slopeStandardError };
  }),
  "infant.matrix-game": solve({ M: matrix, p: numbers, q: numbers }, ({ M, p, q }) => {
    const { maxMin, minMax, eq19Printed } = pureDuality(M);
    return {
      pureMaxMin: maxMin,
      pureMinMax: minMax,
      eq19LeftSidePure: eq19Printed,
      value: solveMatrixGame(M).value,
      nashGap: matrixGame(M).nashGap({ x: p, y: q }),
    };
  }),
  "infant.danskin": solve({ theta: numbers }, ({ theta }) => {
    const huber = {
      value: (t: number, psi: number) => t * psi - psi ** 2 / 2,
      slopeInPsi: (t: number, psi: number) => t - psi,
      slopeInTheta: (_: number, psi: number) => psi,
    };
    const maxima = theta.map((t) => maximumOverInterval(huber, t, [-1, 1]));
    return {
      phi: maxima.map(({ value }) => value),
      psiStar: maxima.map(({ psi }) => psi),
      gradient: maxima.map(({ slope }) => slope),
    };
  }),
  "infant.danskin-finite": solve({ a: matrix, b: numbers, thetas: matrix }, ({ a, b, thetas }) => {
    const maxima = thetas.map((theta) => {
      const values = a.map((row, i) => row.reduce((sum, v, j) => sum + v * theta[j], b[i]));
      return maximumOf(values, a);
    });
    return { phi: maxima.map(({ value }) => value), active: maxima.map(({ active }) => active) };
  }),
};
