/** Known answers on divergences, Fisher information and the five losses (INFANT, 3 and A). */
import { z } from "zod";
import { capacitorLoss, capacitorPolicy } from "../../theory/capacitor.ts";
import {
  empiricalFisherOfLinearPolicy,
  fisherOfLinearPolicy,
  plasticityPenalty,
  softmax,
  softmaxFisher,
} from "../../theory/fisher.ts";
import {
  crossEntropy,
  entropy,
  jensenShannon,
  klDivergence,
  klOfChain,
} from "../../theory/information.ts";
import { imaginationLoss, imprintingLoss, totalLoss } from "../../theory/objective.ts";
import { preferenceLoss, regularisedOptimum } from "../../theory/preference.ts";
import { type Kinds, matrix, number, numbers, solve } from "./solve.ts";

const names = z.array(z.string());

/** Kinds solved here. */
export const OBJECTIVE_KINDS: Kinds = {
  "infant.kl": solve({ p: numbers, q: numbers }, ({ p, q }) => ({
    kl: klDivergence(p, q),
    reverse: klDivergence(q, p),
    entropy: entropy(p),
    crossEntropy: crossEntropy(p, q),
    jsd: jensenShannon(p, q),
  })),
  "infant.kl-chain": solve(
    { pFirst: numbers, qFirst: numbers, pSecond: matrix, qSecond: matrix },
    ({ pFirst, qFirst, pSecond, qSecond }) => ({
      ...klOfChain(pFirst, qFirst, pSecond, qSecond),
    }),
  ),
  "infant.fisher-softmax": solve({ logits: numbers }, ({ logits }) => {
    const full = softmaxFisher(logits);
    return { p: softmax(logits), diagonal: full.map((row, i) => row[i]), full };
  }),
  "infant.fisher-linear-softmax": solve(
    { X: matrix, W: matrix, labels: numbers },
    ({ X, W, labels }) => ({
      fisherDiag: fisherOfLinearPolicy(W, X),
      empiricalFisherDiag: empiricalFisherOfLinearPolicy(W, X, labels),
    }),
  ),
  "infant.ewc": solve(
    { theta: numbers, thetaStar: numbers, fisher: numbers, kappa: number },
    ({ theta, thetaStar, fisher, kappa }) => ({
      ...plasticityPenalty(theta, thetaStar, fisher, kappa),
    }),
  ),
  "infant.dpo": solve(
    { beta: number, logpW: number, logpL: number, refW: number, refL: number },
    ({ beta, logpW, logpL, refW, refL }) => {
      const pair = {
        logPreferred: logpW,
        logRejected: logpL,
        referencePreferred: refW,
        referenceRejected: refL,
      };
      const found = preferenceLoss(pair, beta);
      return {
        rewardW: found.rewardPreferred,
        rewardL: found.rewardRejected,
        margin: found.margin,
        loss: found.loss,
        preferenceProb: found.probability,
        gradWeight: found.pull,
      };
    },
  ),
  "infant.dpo-optimal-policy": solve(
    { piRef: numbers, reward: numbers, beta: number },
    ({ piRef, reward, beta }) => {
      const { policy, ...rest } = regularisedOptimum(piRef, reward, beta);
      return { piStar: policy, ...rest };
    },
  ),
  "infant.total-loss": solve(
    {
      losses: z.object({ VI: number, PO: number, CI: number, VC: number, pl: number }),
      weights: z.object({
        alpha: number,
        beta: number,
        gamma: number,
        lambda: number,
        mu: number,
      }),
    },
    ({ losses: { VI, PO, CI, VC, pl }, weights: { alpha, beta, gamma, lambda, mu } }) => ({
      total: totalLoss(
        { vi: VI, po: PO, ci: CI, vc: VC, pl },
        { vi: alpha, po: beta, ci: gamma, vc: lambda, pl: mu },
      ),
    }),
  ),
  "infant.vi-loss": solve(
    { pi: matrix, prior: matrix, actions: numbers, rho: number },
    ({ pi, prior, actions, rho }) => ({ ...imprintingLoss(pi, prior, actions, rho) }),
  ),
  "infant.ci-loss": solve(
    { base: numbers, perturbed: matrix, hiddenLoss: numbers },
    ({ base, perturbed, hiddenLoss }) => ({ ...imaginationLoss(base, perturbed, hiddenLoss) }),
  ),
  "infant.vc-loss": solve(
    { pi: numbers, flagged: z.array(z.boolean()), distance: numbers },
    ({ pi, flagged, distance }) => ({ loss: capacitorLoss(pi, flagged, distance) }),
  ),
  "infant.vc-projection": solve(
    { actions: names, safe: names, flagged: names, distance: matrix, pi: numbers },
    ({ actions, safe, flagged, distance, pi }) => {
      const has = (list: readonly string[]) => actions.map((action) => list.includes(action));
      const found = capacitorPolicy(pi, { flagged: has(flagged), safe: has(safe), distance });
      return {
        result: found.replacedBy.map((a) => actions[a]),
        distribution: found.distribution,
        unsafeMass: found.unsafe,
      };
    },
  ),
};
