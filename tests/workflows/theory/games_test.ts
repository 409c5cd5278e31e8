/** Games: best responses, equilibria, and what gradient play does and does not do. */
import fc from "fast-check";
import {
  averagedGapBound,
  extragradient,
  gradientDescentAscent,
  type Play,
} from "../../../workflows/theory/games/dynamics.ts";
import { eq23Printed, exploitability } from "../../../workflows/theory/games/exploitability.ts";
import {
  bilinearGame,
  matrixGame,
  projectToSimplex,
  quadraticGame,
} from "../../../workflows/theory/games/game.ts";
import { pureDuality, solveMatrixGame } from "../../../workflows/theory/games/matrix_game.ts";
import { fitPowerLaw } from "../../../workflows/theory/games/power_law.ts";
import { InputError } from "../../../kernels/errors.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";

const value = fc.double({ min: -2, max: 2, noNaN: true });
const sized = (n: number) => fc.array(value, { minLength: n, maxLength: n });
const matrices = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }))
  .chain(([rows, columns]) => fc.array(sized(columns), { minLength: rows, maxLength: rows }));
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

Deno.test("simplex: projections are distributions, and no distribution is nearer", () => {
  fc.assert(fc.property(sized(4), sized(4), (point, other) => {
    const near = projectToSimplex(point);
    assertAlmostEquals(sum(near), 1, 1e-12);
    assert(near.every((p) => p >= 0));
    const exponentials = other.map(Math.exp);
    const rival = exponentials.map((e) => e / sum(exponentials));
    const distance = (to: readonly number[]) => Math.hypot(...to.map((p, i) => p - point[i]));
    assert(distance(near) <= distance(rival) + 1e-12);
  }));
});

Deno.test("matrix games: the equilibrium has no gap, its value lies between the pure ones", () => {
  fc.assert(fc.property(matrices, (matrix) => {
    const { value, row, column } = solveMatrixGame(matrix);
    for (const strategy of [row, column]) {
      assertAlmostEquals(sum(strategy), 1, 1e-9);
      assert(strategy.every((p) => p >= -1e-12));
    }
    assertAlmostEquals(matrixGame(matrix).nashGap({ x: row, y: column }), 0, 1e-9);
    const { maxMin, minMax, eq19Printed } = pureDuality(matrix);
    assert(maxMin <= value + 1e-9 && value <= minMax + 1e-9);
    assert(eq19Printed <= 0, "Eq. 19's left side is never above 0");
  }));
});

Deno.test("matrix games: rock, paper, scissors, and a game in which all strategies are equal", () => {
  const rps = solveMatrixGame([[0, 1, -1], [-1, 0, 1], [1, -1, 0]]);
  for (const p of [...rps.row, ...rps.column]) assertAlmostEquals(p, 1 / 3, 1e-12);
  assertAlmostEquals(rps.value, 0, 1e-12);
  const zeros = solveMatrixGame([[0, 0], [0, 0], [0, 0]]);
  assertAlmostEquals(sum(zeros.row), 1, 1e-12);
});

Deno.test("Nash gap: never negative, and at least what any deviation gains", () => {
  fc.assert(fc.property(matrices, fc.double({ min: 0.2, max: 2, noNaN: true }), (matrix, mu) => {
    const [m, n] = [matrix.length, matrix[0].length];
    const x = matrix.map((_, i) => Math.sin(i + mu));
    const y = matrix[0].map((_, j) => Math.cos(j * mu));
    const f = (a: readonly number[], b: readonly number[]) =>
      sum(matrix.map((row, i) => a[i] * sum(row.map((v, j) => v * b[j]))));
    const square = (a: readonly number[]) => sum(a.map((v) => v * v));
    const deviations = [-1, -0.5, 0, 0.5, 1].map((t) => ({
      x: Array.from({ length: m }, (_, i) => t * Math.cos(i)),
      y: Array.from({ length: n }, (_, j) => t * Math.sin(j + 1)),
    }));
    const bilinear = bilinearGame(matrix, 1).nashGap({ x, y });
    const quadratic = quadraticGame(mu, matrix).nashGap({ x, y });
    const g = (a: readonly number[], b: readonly number[]) =>
      f(a, b) + mu / 2 * (square(a) - square(b));
    // The quadratic game's best responses are known, and gain exactly the gap.
    const replyY = matrix[0].map((_, j) => sum(matrix.map((row, i) => row[j] * x[i])) / mu);
    const replyX = matrix.map((row) => -sum(row.map((v, j) => v * y[j])) / mu);
    assertAlmostEquals(quadratic / (g(x, replyY) - g(replyX, y)), 1, 1e-9);
    for (const other of deviations) {
      assert(bilinear >= f(x, other.y) - f(other.x, y) - 1e-9);
      assert(quadratic >= g(x, other.y) - g(other.x, y) - 1e-9);
    }
  }));
});

Deno.test("play: on x y descent-ascent moves out and extragradient in, by their known factors", () => {
  const rate = fc.double({ min: 0.01, max: 0.5, noNaN: true });
  const a = fc.double({ min: 0.2, max: 1.5, noNaN: true });
  fc.assert(fc.property(a, rate, fc.integer({ min: 1, max: 60 }), (factor, eta, steps) => {
    const [game, start] = [bilinearGame([[factor]]), { x: [0.6], y: [-0.8] }];
    const size = ({ last }: Play) => Math.hypot(...last.x, ...last.y);
    const s = (eta * factor) ** 2;
    const out = size(gradientDescentAscent(game, start, { steps, rate: eta }));
    const into = size(extragradient(game, start, { steps, rate: eta }));
    assertAlmostEquals(out / (1 + s) ** (steps / 2), 1, 1e-9);
    assertAlmostEquals(into / (1 - s + s * s) ** (steps / 2), 1, 1e-9);
  }));
});

Deno.test("play: extragradient converges on strongly convex-concave and on matrix games", () => {
  fc.assert(
    fc.property(matrices, (matrix) => {
      const steep = Math.max(0.5, Math.hypot(...matrix.flat()));
      const rate = 0.5 / (steep + 0.5);
      const quadratic = quadraticGame(0.5, matrix);
      const start = { x: matrix.map(() => 1), y: matrix[0].map(() => -1) };
      const { last } = extragradient(quadratic, start, { steps: 600, rate });
      assert(quadratic.nashGap(last) < 1e-3 * quadratic.nashGap(start));

      const game = matrixGame(matrix);
      const [steps, uniform] = [2000, game.project({ x: start.x, y: matrix[0].map(() => 1) })];
      const { averageAhead } = extragradient(game, uniform, { steps, rate });
      // Its guarantee: the squared diameter of two simplices is at most 4; D^2 / (2 eta T).
      assert(game.nashGap(averageAhead) <= 4 / (2 * rate * steps) + 1e-12);
    }),
    { numRuns: 25 },
  );
});

Deno.test("play: averaged descent-ascent keeps its bound, whose slope over T is -1/2", () => {
  const [game, start] = [bilinearGame([[1]], 1), { x: [1], y: [0.5] }];
  const Ts = [64, 256, 1024, 4096, 16384];
  const options = Ts.map((steps) => ({ steps, rate: 1 / Math.sqrt(steps) }));
  const bounds = options.map((play) => averagedGapBound(6.25, 2, play));
  const gaps = options.map((play) =>
    game.nashGap(gradientDescentAscent(game, start, play).average)
  );
  // The bound is for iterates 0 to T - 1, the mean is over 1 to T: both ends are at most 2 / T away.
  gaps.forEach((gap, i) => assert(gap <= bounds[i] + 2 / Ts[i], `${gap} > ${bounds[i]}`));
  assertAlmostEquals(fitPowerLaw(Ts, bounds).slope, -0.5, 1e-12);
  const { slope, slopeInterval } = fitPowerLaw(Ts, gaps);
  assert(slopeInterval.low < -0.5 && -0.5 < slopeInterval.high, `${slope}`);
  // The last iterate does not get there at all.
  assert(game.nashGap(gradientDescentAscent(game, start, options[4]).last) > 1);
});

Deno.test("power law: exact laws are found, with an interval of no width", () => {
  fc.assert(fc.property(fc.double({ min: -3, max: 3, noNaN: true }), (slope) => {
    const steps = [1, 10, 30, 100];
    const fit = fitPowerLaw(steps, steps.map((t) => 2 * t ** slope));
    assertAlmostEquals(fit.slope, slope, 1e-9);
    assertAlmostEquals(Math.exp(fit.intercept), 2, 1e-9);
    assert(fit.slopeInterval.high - fit.slopeInterval.low < 1e-6);
  }));
  // By hand: logs of gaps 0, 2, 1 over logs of T 0, 1, 2 leave squared residuals of 1.5 in all.
  const noisy = fitPowerLaw([1, Math.E, Math.E ** 2], [1, Math.E ** 2, Math.E]);
  assertAlmostEquals(noisy.slope, 0.5, 1e-12);
  assertAlmostEquals(noisy.slopeStandardError, Math.sqrt(1.5 / 1 / 2), 1e-12);
  // Student's limit for one degree of freedom is 12.706.
  assertAlmostEquals(noisy.slopeInterval.high, 0.5 + 12.7062047 * Math.sqrt(0.75), 1e-5);
  assertThrows(() => fitPowerLaw([1, 2], [1, 2]), InputError, "points to fit");
  assertThrows(() => fitPowerLaw([2, 2, 2], [1, 2, 3]), InputError, "two different");
  assertThrows(() => fitPowerLaw([1, 2, 3], [1, 0, 3]), InputError, "gaps[1]");
});

Deno.test("exploitability: gains add up; a worse response is no gain", () => {
  assertEquals(exploitability({ loss: 1, bestAdversary: 1.5, bestPolicy: 0.75 }), {
    ofPolicy: 0.5,
    ofAdversary: 0.25,
    nashGap: 0.75,
  });
  assertEquals(exploitability({ loss: 1, bestAdversary: 0.5, bestPolicy: 2 }).nashGap, 0);
  assertEquals(eq23Printed({ lipschitz: [1, 2], gradients: [3, 1], steps: 16 }), 3);
});

Deno.test("games: misfits are refused and named", () => {
  const game = bilinearGame([[1, 2]]);
  const play = { steps: 1, rate: 0.1 };
  assertThrows(() => gradientDescentAscent(game, { x: [0], y: [0] }, play), InputError, "y");
  assertThrows(
    () => extragradient(game, { x: [0], y: [0, NaN] }, play),
    InputError,
    "y[1]: expected a finite number",
  );
  assertThrows(() => bilinearGame([[1], [1, 2]]), InputError, "matrix[1]");
  assertThrows(() => quadraticGame(0, [[1]]), InputError, "mu");
});
