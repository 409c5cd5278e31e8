/**
 * How a cost grows: y = factor x^exponent, by least squares of log y on log x, with Student's interval for the exponent.
 */
import { betaQuantile } from "../theory/intervals.ts";

/** A fitted power law. */
export interface PowerFit {
  /** How y grows with x. */
  readonly exponent: number;
  /** 95 % interval of the exponent, if the points lie on a power law with independent errors; null for two points. */
  readonly interval: readonly [number, number] | null;
  /** y at x = 1. */
  readonly factor: number;
}

/**
 * Fits y = factor x^exponent.
 * @throws {RangeError} unless there are at least two different x, and all values are positive.
 */
export function powerFit(x: readonly number[], y: readonly number[]): PowerFit {
  if (x.length !== y.length || ![...x, ...y].every((value) => value > 0 && value < Infinity)) {
    throw new RangeError("a power law needs as many x as y, all positive");
  }
  if (new Set(x).size < 2) throw new RangeError("a power law needs two different x");
  const [u, v] = [x.map(Math.log), y.map(Math.log)];
  const [meanU, meanV] = [mean(u), mean(v)];
  const spreadU = sum(u.map((value) => (value - meanU) ** 2));
  const exponent = sum(u.map((value, i) => (value - meanU) * (v[i] - meanV))) / spreadU;
  const intercept = meanV - exponent * meanU;
  const freedom = x.length - 2;
  const residual = sum(u.map((value, i) => (v[i] - intercept - exponent * value) ** 2));
  const half = freedom > 0 ? studentQuantile(freedom) * Math.sqrt(residual / freedom / spreadU) : 0;
  return {
    exponent,
    interval: freedom > 0 ? [exponent - half, exponent + half] : null,
    factor: Math.exp(intercept),
  };
}

/** The t that a Student variable's size stays below with probability 0.95: t^2 / (t^2 + freedom) is Beta(1/2, freedom/2). */
export function studentQuantile(freedom: number): number {
  const share = betaQuantile(0.95, 0.5, freedom / 2);
  return Math.sqrt(freedom * share / (1 - share));
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
