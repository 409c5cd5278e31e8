/**
 * Makes `answers.json`: limits of binomial probabilities and their coverage, in exact integer arithmetic.
 *
 *     deno run --allow-write=tests/golden tests/golden/make_answers.ts
 *
 * A probability is P / 2^53 with a whole P, so a tail of the binomial distribution is a fraction of whole numbers, and a
 * limit is found by halving until two neighbours remain. Nothing is shared with the toolkit's own way, which inverts the
 * incomplete beta function.
 */
const ONE = 2n ** 53n;

/** A fraction above 0 and below 1. */
type Fraction = readonly [numerator: bigint, denominator: bigint];

function choose(n: number, k: number): bigint {
  let value = 1n;
  for (let i = 1; i <= k; i++) value = value * BigInt(n - k + i) / BigInt(i);
  return value;
}

/** Probability of `from` to `to` successes in n trials, times 2^(53 n). */
function probability(n: number, from: number, to: number, P: bigint): bigint {
  let sum = 0n;
  for (let k = from; k <= to; k++) {
    sum += choose(n, k) * P ** BigInt(k) * (ONE - P) ** BigInt(n - k);
  }
  return sum;
}

/** The largest P for which `holds`, which must turn from true to false only once. */
function last(holds: (P: bigint) => boolean): bigint {
  let [low, high] = [0n, ONE];
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** The probability with which k or fewer successes still have the probability `tail`. */
function upper(k: number, n: number, [a, b]: Fraction): bigint {
  if (k === n) return ONE;
  return last((P) => probability(n, 0, k, P) * b >= a * ONE ** BigInt(n));
}

/** The probability with which k or more successes have the probability `tail`. */
function lower(k: number, n: number, [a, b]: Fraction): bigint {
  if (k === 0) return 0n;
  return last((P) => probability(n, k, n, P) * b <= a * ONE ** BigInt(n));
}

const value = (P: bigint) => Number(P) / Number(ONE);

/** Tail outside a two-sided interval, from a confidence in thousandths. */
const half = (thousandths: number): Fraction => [BigInt(1000 - thousandths), 2000n];

const intervals = [[0, 20, 950], [3, 40, 950], [40, 40, 950], [7, 60, 990], [1, 1, 900]].map(
  ([k, n, confidence], i) => ({
    id: `infant.binomial-interval/${i + 1}`,
    inputs: { k, n, conf: confidence / 1000 },
    expected: {
      phat: k / n,
      cpLower: value(lower(k, n, half(confidence))),
      cpUpper: value(upper(k, n, half(confidence))),
      cpUpperOneSided: value(upper(k, n, [BigInt(1000 - confidence), 1000n])),
    },
    tolerance: 1e-12,
  }),
);

const coverages = [[12, 1 / 8, 950], [30, 1 / 32, 900]].map(([n, p, confidence], i) => {
  const P = BigInt(p * Number(ONE));
  const tail = half(confidence);
  const inside = Array.from({ length: n + 1 }, (_, k) => k)
    .filter((k) => lower(k, n, tail) <= P && P <= upper(k, n, tail));
  const covered = inside.reduce((sum, k) => sum + probability(n, k, k, P), 0n);
  return {
    id: `infant.interval-coverage/${i + 1}`,
    inputs: { n, p, conf: confidence / 1000 },
    expected: { clopperPearson: Number(covered * ONE / ONE ** BigInt(n)) / Number(ONE) },
    tolerance: 1e-12,
  };
});

const text = JSON.stringify({ cases: [...intervals, ...coverages] }, null, 1);
await Deno.writeTextFile(new URL("answers.json", import.meta.url), `${text}\n`);
