/**
 * Regret against the best fixed action in hindsight (INFANT, Proposition 5.7, Eq. 39-41).
 *
 * The bound holds for exponential weights (the tabular natural policy gradient) with losses seen in
 * full, and a step size that scales as sqrt(log|A| / T). It is no theorem about PPO or DPO on a
 * neural policy; and where an action is a whole reply, log|A| grows with the reply's length.
 */
import { checkFinite, checkMatrix, checkPositive, checkUnit, checkWhole } from "./checks.ts";
import { softmax } from "./fisher.ts";

/** Eq. 40 and the step size that makes it smallest. */
export interface RegretBound {
  /** Eq. 40 at the given step size: log|A| / eta + eta T G^2. */
  readonly bound: number;
  /** sqrt(log|A| / (T G^2)). */
  readonly bestRate: number;
  /** Eq. 41 with its constant: 2 G sqrt(T log|A|). */
  readonly bestBound: number;
}

/**
 * Eq. 40, 41 for gradients of norm at most `gradientBound`.
 * @param actions |A|, at least 2
 * @param rounds T
 * @param gradientBound G, above 0
 * @param rate step size eta, above 0
 * @throws {InputError} outside these ranges.
 */
export function regretBound(
  actions: number,
  rounds: number,
  gradientBound: number,
  rate: number,
): RegretBound {
  checkWhole("actions", actions, 2);
  checkWhole("rounds", rounds, 1);
  checkPositive("gradientBound", gradientBound);
  checkPositive("rate", rate);
  const logActions = Math.log(actions);
  return {
    bound: logActions / rate + rate * rounds * gradientBound ** 2,
    bestRate: Math.sqrt(logActions / rounds) / gradientBound,
    bestBound: 2 * gradientBound * Math.sqrt(rounds * logActions),
  };
}

/** Regret of a sequence of choices. */
export interface Regret {
  /** Cumulative loss of the learner. */
  readonly learnerLoss: number;
  /** Smallest cumulative loss of one action kept throughout. */
  readonly bestFixed: number;
  /** Index of that action, the first of several. */
  readonly bestAction: number;
  /** learnerLoss - bestFixed; below 0 when changing actions did better than any fixed one. */
  readonly regret: number;
}

/**
 * Eq. 39 read as external regret: the comparison is the best FIXED action in hindsight. Against the
 * best action of each round, as "optimal reward at step t" might be read, no learner has sublinear
 * regret.
 * @param losses loss of every action in every round, [rounds][actions]
 * @param incurred the learner's loss in every round
 * @throws {InputError} on a ragged or empty matrix or another number of rounds.
 */
export function regret(
  losses: readonly (readonly number[])[],
  incurred: readonly number[],
): Regret {
  checkMatrix("losses", losses);
  checkFinite("incurred", incurred);
  checkWhole("rounds of incurred", incurred.length, losses.length);
  const totals = losses[0].map((_, a) => losses.reduce((sum, row) => sum + row[a], 0));
  const bestFixed = totals.reduce((a, b) => Math.min(a, b));
  const learnerLoss = incurred.reduce((a, b) => a + b, 0);
  return {
    learnerLoss,
    bestFixed,
    bestAction: totals.indexOf(bestFixed),
    regret: learnerLoss - bestFixed,
  };
}

/** A run of exponential weights. */
export interface ExponentialWeights extends Regret {
  /** Expected loss of each round. */
  readonly incurred: readonly number[];
  /** Distribution over actions after the last round. */
  readonly finalDistribution: readonly number[];
  /** Guaranteed bound on the regret: log|A| / eta + eta T / 8. */
  readonly bound: number;
}

/**
 * Exponential weights (Hedge): start uniform, multiply each weight by exp(-eta * loss). The
 * learner's loss is the expected one.
 *
 * The bound is that for losses in [0, 1] (Cesa-Bianchi & Lugosi, 2006, Theorem 2.2), sharper than
 * Eq. 40 by a factor of 8 in its second term.
 * @param losses [rounds][actions], each in [0, 1]
 * @param rate eta, above 0
 * @throws {InputError} outside these ranges.
 */
export function exponentialWeights(
  losses: readonly (readonly number[])[],
  rate: number,
): ExponentialWeights {
  checkMatrix("losses", losses);
  checkPositive("rate", rate);
  const totals = losses[0].map(() => 0);
  const distribution = () => softmax(totals.map((total) => -rate * total));
  const incurred = losses.map((row, t) => {
    const expected = distribution().reduce((sum, p, a) => sum + p * row[a], 0);
    row.forEach((loss, a) => {
      checkUnit(`losses[${t}][${a}]`, loss);
      totals[a] += loss;
    });
    return expected;
  });
  return {
    ...regret(losses, incurred),
    incurred,
    finalDistribution: distribution(),
    bound: Math.log(totals.length) / rate + rate * losses.length / 8,
  };
}
