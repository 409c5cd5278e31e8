/**
 * The environments E(1..S) of maturation (INFANT Definition 6.4), as distributions of requests: training draws from the active ones,
 * and the violation probability V(pi; E(s)) and its rise xi(s) are measured on them.
 *
 * The nursery's four are made of the attack families that safety training shows, by the stage each belongs to: 1 plain requests, 2
 * rewordings and lookalikes, 3 single-turn attacks, 4 insisting users and mixtures. V is measured over harmful requests, equally
 * many of each family; families that training never sees are reported with the exam, and decide nothing.
 */
import { InputError } from "../../kernels/errors.ts";
import { Random } from "../data/random.ts";
import { careDoses, type CareOptions, type Stage, STAGES } from "../nursery/care.ts";
import { type Dialogue, type Situation, withReply } from "../nursery/dialogue.ts";
import { FAMILIES, type FamilyName, SEEN_FAMILIES } from "../nursery/families.ts";
import { howto } from "../nursery/howto.ts";
import { rightReply } from "../nursery/replies.ts";
import type { Rate } from "../nursery/score.ts";
import type { Split } from "../nursery/splits.ts";
import { rateDifference } from "./rates.ts";

/** What is asked of an environment. */
export interface Draw {
  /** All randomness comes from here. */
  readonly random: Random;
  /** Combinations are taken from this split only. */
  readonly split: Split;
  /** Harmful or harmless requests alone. */
  readonly harmful: boolean;
  /** Number of the request; environments of several families take turns by it, so that all are equally frequent. */
  readonly index: number;
}

/** A distribution of requests. */
export interface Environment {
  /** Its name in configurations, logs and reports. */
  readonly name: string;
  /** The stage that unlocks it, from 1. */
  readonly stage: number;
  /** A request. */
  readonly draw: (draw: Draw) => Situation;
}

const ENVIRONMENTS = new Map<string, Environment>();

/**
 * Adds an environment, which is active from its stage on.
 *
 * @example Requests that begin in the past tense, from the second stage on
 * ```ts
 * import { nursery, stages } from "@infant/toolkit";
 *
 * stages.registerEnvironment("memories", 2, ({ random, split, harmful }) =>
 *   nursery.howto("past", split, random, harmful));
 * ```
 * @throws {InputError} when there is one of that name, or the stage is not a whole number from 1.
 */
export function registerEnvironment(
  name: string,
  stage: number,
  draw: (draw: Draw) => Situation,
): void {
  if (ENVIRONMENTS.has(name)) {
    throw new InputError(`environment "${name}" exists already: choose another name`);
  }
  if (!Number.isSafeInteger(stage) || stage < 1) {
    throw new InputError(
      `environment "${name}": stage must be a whole number from 1, found ${stage}`,
    );
  }
  ENVIRONMENTS.set(name, { name, stage, draw });
}

/** Families of the nursery's environment E(s): those that safety training shows. */
export function environmentFamilies(stage: Stage): readonly FamilyName[] {
  return SEEN_FAMILIES.filter((family) => FAMILIES[family].stage === stage);
}

for (const stage of STAGES) {
  const families = environmentFamilies(stage);
  registerEnvironment(
    `E${stage}`,
    stage,
    ({ random, split, harmful, index }) =>
      howto(families[index % families.length], split, random, harmful),
  );
}

/** All environments in the order of their stages. */
export function environments(): readonly Environment[] {
  return [...ENVIRONMENTS.values()].sort((a, b) => a.stage - b.stage);
}

/** The environments of stages 1 to `stage`: the union of INFANT Eq. 44. */
export function environmentsUpTo(stage: number): readonly Environment[] {
  return environments().filter((e) => e.stage <= stage);
}

/** An environment by its name. @throws {InputError} when there is none. */
export function environment(name: string): Environment {
  const found = ENVIRONMENTS.get(name);
  if (found) return found;
  throw new InputError(
    `there is no environment "${name}"; use one of ${[...ENVIRONMENTS.keys()].join(", ")}`,
  );
}

/** Requests of an environment, with the right replies; request i depends only on the arguments and i. */
export function environmentDialogues(
  { name, draw }: Environment,
  options: Pick<Draw, "split" | "harmful"> & { readonly count: number; readonly seed: number },
): Dialogue[] {
  const { split, harmful, count, seed } = options;
  return Array.from({ length: count }, (_, index) => {
    const random = new Random(seed, "environment", name, split, `${harmful}`, index);
    const situation = draw({ random, split, harmful, index });
    return withReply(situation, rightReply(situation.truth));
  });
}

/** An environment and its share of an active union. */
export interface MixedEnvironment {
  /** The environment. */
  readonly environment: Environment;
  /** Probability that a request comes from it; the shares of a union add up to 1. */
  readonly weight: number;
}

/**
 * The active environments of a stage with their mixing weights. INFANT Eq. 44 is a union, and a union is no distribution: here
 * the newest stage's environments share `newest`, those of all earlier stages the rest, equally within each side.
 * @param newest Share of the newest, in [0, 1]; where nothing is earlier it has all.
 */
export function activeMixture(stage: number, newest = 0.5): readonly MixedEnvironment[] {
  const active = environmentsUpTo(stage);
  const last = active.at(-1)?.stage;
  const fresh = active.filter((e) => e.stage === last);
  const old = active.filter((e) => e.stage !== last);
  const side = (part: readonly Environment[], share: number) =>
    part.map((environment) => ({ environment, weight: share / part.length }));
  return old.length === 0 ? side(fresh, 1) : [...side(old, 1 - newest), ...side(fresh, newest)];
}

/**
 * A request from a mixture: what safety training draws its requests from.
 * @param harmfulShare Share of harmful requests, in [0, 1].
 */
export function drawActive(
  mixture: readonly MixedEnvironment[],
  random: Random,
  split: Split,
  harmfulShare = 0.5,
): Situation {
  const weights = Object.fromEntries(
    mixture.map(({ environment, weight }) => [environment.name, weight]),
  );
  const { draw } = environment(random.weighted(weights));
  return draw({
    random,
    split,
    harmful: random.chance(harmfulShare),
    index: random.below(1 << 30),
  });
}

/** Safety training on the active environments of a stage: their requests, and the other kinds of dialogue of the stage. */
export function activeCare(
  stage: number,
  newest?: number,
  harmfulShare?: number,
  replayShare?: number,
): CareOptions {
  const mixture = activeMixture(stage, newest);
  return {
    stage: Math.min(stage, STAGES.length) as Stage,
    doses: careDoses(replayShare),
    requests: (random, split) => drawActive(mixture, random, split, harmfulShare),
  };
}

/** How a policy's violation probability changes from one environment to the next. */
export interface Impact {
  /** Names of the two environments. */
  readonly from: string;
  /** The harder one. */
  readonly to: string;
  /** V(pi; E(s)) - V(pi; E(s-1)): xi(s) of INFANT Eq. 46, as measured. May be negative. */
  readonly xi: number;
  /** Lower end of its interval. */
  readonly low: number;
  /** Upper end, which is what a bound needs. */
  readonly high: number;
}

/**
 * The measured xi(s) for each step from one environment to the next. The paper asserts that it falls with s; here it is measured.
 * @param violations V(pi; E) by environment, in the order of the stages.
 */
export function measuredImpacts(
  violations: Readonly<Record<string, Rate>>,
  confidence = 0.95,
): Impact[] {
  const rows = Object.entries(violations);
  return rows.slice(1).map(([to, after], i) => {
    const [from, before] = rows[i];
    const { difference, low, high } = rateDifference(before, after, confidence);
    return { from, to, xi: difference, low, high };
  });
}
