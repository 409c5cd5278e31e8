/**
 * The value capacitor on enumerated actions: its loss and the policy it makes (INFANT, Eq. 13 and
 * 27). Definitions small enough to check decoders and training code against by hand.
 */
import { InputError } from "../../kernels/errors.ts";
import { checkDistribution, checkMatrix, checkNonNegative, checkSameLength } from "./checks.ts";

/**
 * Eq. 13, the value capacitor loss, for one context: expected distance to the safe set of the
 * actions that the world model flags. An unsafe action that it misses adds nothing.
 * @param policy distribution over actions
 * @param flagged whether the world model flags each action
 * @param distance of each action to the nearest safe one, at least 0
 * @throws {InputError} on sizes that differ, or when `policy` is no distribution.
 */
export function capacitorLoss(
  policy: readonly number[],
  flagged: readonly boolean[],
  distance: readonly number[],
): number {
  checkDistribution("policy", policy);
  checkSameLength("flagged", flagged, "policy", policy);
  checkSameLength("distance", distance, "policy", policy);
  return policy.reduce((sum, probability, a) => {
    checkNonNegative(`distance[${a}]`, distance[a]);
    return flagged[a] ? sum + probability * distance[a] : sum;
  }, 0);
}

/** Actions of one context, as the world model and the safe set see them. */
export interface CapacitorActions {
  /** Whether the world model flags each action. */
  readonly flagged: readonly boolean[];
  /** Whether each action is safe; at least one must be. */
  readonly safe: readonly boolean[];
  /** D_act between every two actions, at least 0. */
  readonly distance: readonly (readonly number[])[];
}

/** What the value capacitor makes of a policy. */
export interface CapacitorPolicy {
  /** Index of the action that replaces each action: itself where it is not flagged. */
  readonly replacedBy: readonly number[];
  /** Distribution over actions after replacement. */
  readonly distribution: readonly number[];
  /** Probability left on unsafe actions: what the world model misses. */
  readonly unsafe: number;
}

/**
 * Eq. 27: a flagged action is replaced by the nearest safe one, any other is kept.
 *
 * The paper leaves open what happens in a tie and when no action is safe. Here the lowest index
 * wins, and an empty safe set is refused: include a fixed refusal.
 * @param policy distribution over actions
 * @throws {InputError} on sizes that differ, or when no action is safe.
 */
export function capacitorPolicy(
  policy: readonly number[],
  { flagged, safe, distance }: CapacitorActions,
): CapacitorPolicy {
  checkDistribution("policy", policy);
  checkSameLength("flagged", flagged, "policy", policy);
  checkSameLength("safe", safe, "policy", policy);
  checkMatrix("distance", distance);
  checkSameLength("distance", distance, "policy", policy);
  checkSameLength("distance[0]", distance[0], "policy", policy);
  const permitted = safe.flatMap((yes, a) => yes ? [a] : []);
  if (permitted.length === 0) {
    throw new InputError("safe: no action is safe; include a fixed refusal as fallback");
  }
  const replacedBy = policy.map((_, a) =>
    flagged[a] ? permitted.reduce((held, b) => distance[a][b] < distance[a][held] ? b : held) : a
  );
  const distribution = policy.map(() => 0);
  policy.forEach((probability, a) => distribution[replacedBy[a]] += probability);
  const unsafe = distribution.reduce((sum, p, a) => safe[a] ? sum : sum + p, 0);
  return { replacedBy, distribution, unsafe };
}
