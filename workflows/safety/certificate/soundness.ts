/**
 * Do the bounds hold as often as they promise? Certificates of policies whose true rates are known.
 */
import { InputError } from "../../../kernels/errors.ts";
import { Random } from "../../data/random.ts";
import { clopperPearson, type Interval } from "../../theory/intervals.ts";
import { boundsOf } from "./bounds.ts";
import { ALL, estimates, scopeShares } from "./estimates.ts";
import { countOutcomes, type Counts, type Outcome } from "./outcomes.ts";

/** True rates of a synthetic policy in one mix; all in [0, 1]. */
export interface TrueRates {
  /** P(something unsafe is proposed). */
  readonly pUnsafe: number;
  /** P(missed | unsafe). */
  readonly epsM: number;
  /** P(projection fails | unsafe, not missed). */
  readonly epsPi: number;
  /** P(patterns match | escaped). */
  readonly gammaEscapes: number;
}

/** What is simulated. */
export interface SoundnessOptions {
  /** True rates by mix; mixes have equal weights. */
  readonly policy: Readonly<{ [mix: string]: TrueRates }>;
  /** Dialogues of a certificate. */
  readonly dialogues: number;
  /** Certificates drawn. */
  readonly repetitions: number;
  /** P(patterns match | unsafe, detected); as on escapes where absent. */
  readonly detectedMatched?: number;
  /** As in a certificate. */
  readonly delta: number;
  /** Seed of the draws. */
  readonly seed: number;
}

/** How often the certificates held. */
export interface Soundness {
  /** Certificates in which every certified bound, of the mixture and of each mix, held. */
  readonly held: number;
  /** Certificates drawn. */
  readonly repetitions: number;
  /** Exact 95% interval of the probability that all hold; its promise is 1 - delta. */
  readonly coverage: Interval;
  /** How often each bound of the mixture held, by its name; only those that count promise it. */
  readonly heldByBound: Readonly<{ [bound: string]: number }>;
  /** True V of the mixture. */
  readonly violation: number;
  /** Median of the certified bound of the mixture. */
  readonly medianCertified: number;
  /** Median of certified bound / true V; null when V is 0. */
  readonly medianRatio: number | null;
}

/** True V: the chain of `estimates.ts`. */
export function trueViolation({ pUnsafe, epsM, epsPi, gammaEscapes }: TrueRates): number {
  return pUnsafe * (epsM + (1 - epsM) * epsPi) * (1 - gammaEscapes);
}

/**
 * What `trials` dialogues of a policy come to when every rate is met exactly, rounded to whole dialogues: for showing how bounds
 * tighten as dialogues are added.
 * @param detectedMatched as in {@linkcode SoundnessOptions}
 */
export function expectedCounts(
  rates: TrueRates,
  trials: number,
  detectedMatched: number = rates.gammaEscapes,
): Counts {
  const unsafe = Math.round(rates.pUnsafe * trials);
  const missed = Math.round(rates.epsM * unsafe);
  const projectionFailed = Math.round(rates.epsPi * (unsafe - missed));
  const escaped = missed + projectionFailed;
  const caught = Math.round(rates.gammaEscapes * escaped);
  const matched = caught + Math.round(detectedMatched * (unsafe - escaped));
  return {
    trials,
    unsafe,
    missed,
    projectionFailed,
    caught,
    matched,
    violations: escaped - caught,
  };
}

function draw(
  { pUnsafe, epsM, epsPi, gammaEscapes }: TrueRates,
  random: Random,
  detectedMatched = gammaEscapes,
): Outcome {
  if (!random.chance(pUnsafe)) return "s";
  if (random.chance(epsM)) return random.chance(gammaEscapes) ? "M" : "m";
  if (random.chance(epsPi)) return random.chance(gammaEscapes) ? "P" : "p";
  return random.chance(detectedMatched) ? "D" : "d";
}

/**
 * Draws certificates of a synthetic policy and counts how often they told the truth.
 * @throws {InputError} without mixes or repetitions.
 */
export function certificateSoundness(options: SoundnessOptions): Soundness {
  const { policy, dialogues, repetitions, delta, seed, detectedMatched } = options;
  const mixes = Object.keys(policy);
  if (mixes.length === 0 || !(repetitions >= 1)) {
    throw new InputError("soundness: expected at least one mix and one repetition");
  }
  const truths = mixes.map((mix) => trueViolation(policy[mix]));
  const violation = truths.reduce((a, b) => a + b) / mixes.length;
  const truth = (scope: string) => scope === ALL ? violation : truths[mixes.indexOf(scope)];
  const shares = Object.entries(scopeShares(mixes));

  let held = 0;
  const heldByBound: { [bound: string]: number } = {};
  const certified: number[] = [];
  for (let r = 0; r < repetitions; r++) {
    const random = new Random(seed, "soundness", r);
    const letters: { [mix: string]: string } = Object.fromEntries(mixes.map((mix) => [mix, ""]));
    for (let i = 0; i < dialogues; i++) {
      const mix = random.pick(mixes);
      letters[mix] += draw(policy[mix], random, detectedMatched);
    }
    const found = shares.map(([scope, share]) => {
      const outcomes = scope === ALL ? Object.values(letters).join("") : letters[scope];
      return boundsOf(estimates(countOutcomes(outcomes), delta * share));
    });
    if (found.every((bounds, i) => truth(shares[i][0]) <= bounds.certified)) held++;
    certified.push(found[0].certified);
    for (const { name, value } of found[0].bounds) {
      heldByBound[name] = (heldByBound[name] ?? 0) + Number(value === null || violation <= value);
    }
  }
  const medianCertified = certified.sort((a, b) => a - b)[repetitions >> 1];
  return {
    held,
    repetitions,
    coverage: clopperPearson(held, repetitions),
    heldByBound,
    violation,
    medianCertified,
    medianRatio: violation === 0 ? null : medianCertified / violation,
  };
}
