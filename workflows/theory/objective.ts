/**
 * The objective of INFANT on enumerated distributions (Eq. 6, 7 and 9-11): definitions small
 * enough to check training code against by hand. Eq. 8 is in `preference.ts`, Eq. 13 in
 * `capacitor.ts`, Eq. 14 in `fisher.ts`.
 */
import { checkFinite, checkNonNegative, checkSameLength, checkSome, checkWhole } from "./checks.ts";
import { klDivergence } from "./information.ts";

/** One number per component of the objective. */
export interface Components {
  /** Value imprinting (paper: alpha weighs it). */
  readonly vi: number;
  /** Preference optimisation (beta). */
  readonly po: number;
  /** Counterfactual imagination (gamma). */
  readonly ci: number;
  /** Value capacitor (lambda). */
  readonly vc: number;
  /** Plasticity (mu). */
  readonly pl: number;
}

/**
 * Eq. 6: the weighted sum of the five losses. The paper asks for weights above 0; 0 switches a
 * component off.
 * @throws {InputError} on a loss that is not finite or a weight below 0.
 */
export function totalLoss(losses: Components, weights: Components): number {
  return (["vi", "po", "ci", "vc", "pl"] as const).reduce((sum, name) => {
    checkFinite(`losses.${name}`, [losses[name]]);
    checkNonNegative(`weights.${name}`, weights[name]);
    return sum + weights[name] * losses[name];
  }, 0);
}

/** Eq. 7 in parts. */
export interface ImprintingLoss {
  /** Mean -log pi(a|h), nats. */
  readonly nll: number;
  /** Mean KL(pi || prior), nats. */
  readonly kl: number;
  /** nll + rho * kl. */
  readonly loss: number;
}

/**
 * Eq. 7, value imprinting. The printed KL depends on h and stands outside the expectation; here it
 * is averaged over the contexts. With rho above 0 the minimiser is not the demonstrated policy.
 * @param policy distribution over actions of each context
 * @param prior the same under the pre-trained policy
 * @param actions index of each context's demonstrated action
 * @throws {InputError} on sizes that differ or anything that is no distribution.
 */
export function imprintingLoss(
  policy: readonly (readonly number[])[],
  prior: readonly (readonly number[])[],
  actions: readonly number[],
  rho: number,
): ImprintingLoss {
  checkSome("policy", policy);
  checkSameLength("prior", prior, "policy", policy);
  checkSameLength("actions", actions, "policy", policy);
  checkNonNegative("rho", rho);
  let [nll, kl] = [0, 0];
  policy.forEach((p, h) => {
    checkWhole(`actions[${h}]`, actions[h], 0);
    checkWhole(`actions beyond actions[${h}]`, p.length - actions[h], 1);
    kl += klDivergence(p, prior[h]) / policy.length;
    nll -= Math.log(p[actions[h]]) / policy.length;
  });
  return { nll, kl, loss: nll + (rho === 0 ? 0 : rho * kl) };
}

/** Eq. 9 in parts. */
export interface ImaginationLoss {
  /** Eq. 10, nats. */
  readonly klTerm: number;
  /** Eq. 11. */
  readonly minimaxTerm: number;
  /** Half of each. */
  readonly loss: number;
}

/**
 * Eq. 9-11, counterfactual imagination, for one context and a finite set of perturbations that the
 * generator draws with equal probability.
 * @param base distribution over actions in the context
 * @param perturbed the same in each perturbed context
 * @param hiddenLoss expected hidden loss in each perturbed context
 * @throws {InputError} on sizes that differ or anything that is no distribution.
 */
export function imaginationLoss(
  base: readonly number[],
  perturbed: readonly (readonly number[])[],
  hiddenLoss: readonly number[],
): ImaginationLoss {
  checkSome("perturbed", perturbed);
  checkSameLength("hiddenLoss", hiddenLoss, "perturbed", perturbed);
  checkFinite("hiddenLoss", hiddenLoss);
  const klTerm = perturbed.reduce((sum, q) => sum + klDivergence(base, q), 0) / perturbed.length;
  const minimaxTerm = hiddenLoss.reduce((a, b) => Math.max(a, b));
  return { klTerm, minimaxTerm, loss: klTerm / 2 + minimaxTerm / 2 };
}

/**
 * Left side of Eq. 24, measured: the largest KL(pi(.|h) || pi(.|h_delta)) over the perturbations.
 *
 * Corollary 4.8 bounds it by the Nash gap and does not follow: a small gap says nothing about the
 * value of the game, and the KL is only half of its loss. It has to be measured.
 * @throws {InputError} on sizes that differ or anything that is no distribution.
 */
export function worstKl(
  base: readonly number[],
  perturbed: readonly (readonly number[])[],
): number {
  checkSome("perturbed", perturbed);
  return perturbed.reduce((most, q) => Math.max(most, klDivergence(base, q)), 0);
}
