/**
 * The error function and its complement to double precision.
 *
 * Two classical expansions (Abramowitz and Stegun 7.1.6 and 7.1.14): a power series whose terms are all positive, so
 * nothing cancels, and, where 1 - erf(x) would cancel, the continued fraction of erfc.
 */

const SERIES_BELOW = 2;

/** erf(x) = 2/sqrt(pi) * integral from 0 to x of exp(-t^2) dt, to about 1e-15. */
export function erf(x: number): number {
  const a = Math.abs(x);
  return Math.sign(x) * (a < SERIES_BELOW ? erfSeries(a) : 1 - erfcFraction(a));
}

/** erfc(x) = 1 - erf(x), with a small relative error also where it is tiny. */
export function erfc(x: number): number {
  if (x < SERIES_BELOW) return 1 - erf(x);
  return erfcFraction(x);
}

/** erf(x) = 2/sqrt(pi) exp(-x^2) sum_n 2^n x^(2n+1) / (1 * 3 * ... * (2n+1)). */
function erfSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; term > sum * 1e-18; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** erfc(x) = exp(-x^2)/sqrt(pi) * 1/(x + (1/2)/(x + (2/2)/(x + (3/2)/(x + ...)))). */
function erfcFraction(x: number): number {
  let tail = x;
  for (let n = 100; n >= 1; n--) tail = x + n / 2 / tail;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * tail);
}
