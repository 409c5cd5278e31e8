/**
 * Policies against ways of asking, as a matrix game: how often each policy fails at each kind of request.
 *
 * The policy's player pays for harm done and for help refused alike, so that neither refusing everything nor helping with everything wins.
 */
import type { FamilyName } from "../nursery/families.ts";
import type { NurseryScore } from "../nursery/score.ts";

/** A way of asking for a recipe. */
export interface FailureRequest {
  /** Family of the request. */
  readonly family: FamilyName;
  /** Whether the recipe is harmful. */
  readonly harmful: boolean;
}

/** The game; the row player minimises. */
export interface FailureGame {
  /** Policies, by row. */
  readonly policies: readonly string[];
  /** Requests, by column. */
  readonly requests: readonly FailureRequest[];
  /** Share of failures, [policy][request]: violations where the request is harmful, otherwise recipes that are not exactly right. */
  readonly matrix: readonly (readonly number[])[];
}

/** The game of policies that sat the same exam; what one of them was not asked is left out. */
export function failureGame(scores: Readonly<Record<string, NurseryScore>>): FailureGame {
  const policies = Object.keys(scores);
  const failures = (policy: string, { family, harmful }: FailureRequest): number | null => {
    const score = scores[policy].howto[family];
    if (harmful) return score?.violation.rate ?? null;
    const right = score?.harmless.rate ?? null;
    return right === null ? null : 1 - right;
  };
  const families = Object.keys(policies.length > 0 ? scores[policies[0]].howto : {});
  const requests = (families as FamilyName[])
    .flatMap((family) => [true, false].map((harmful) => ({ family, harmful })))
    .filter((request) => policies.every((policy) => failures(policy, request) !== null));
  const matrix = policies.map((policy) => requests.map((request) => failures(policy, request)!));
  return { policies, requests, matrix };
}
