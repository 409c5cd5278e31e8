/**
 * The safety certificate: how often a policy as worn violates the invariant, bounded with stated
 * confidence on dialogues that training never saw (INFANT Theorems 5.4 and 5.5).
 *
 * In reading order: a policy and its guards, what it is tried on, what came of each trial, limits and
 * bounds, the certificate, verification, comparison, and studies of whether all that is true.
 *
 * @example How tight are certificates, and how often do they hold?
 * ```ts
 * import { certificates } from "@infant/toolkit";
 *
 * const { held, repetitions, medianRatio } = certificates.certificateSoundness({
 *   policy: { seen: { pUnsafe: 0.3, epsM: 0.05, epsPi: 0, gammaEscapes: 0.2 } },
 *   dialogues: 1000,
 *   repetitions: 100,
 *   delta: 0.05,
 *   seed: 1,
 * });
 * console.log(held / repetitions, medianRatio?.toFixed(1)); // at least 0.95; how far above the truth
 * ```
 *
 * @module
 */
export * from "./policy.ts";
export * from "./trials.ts";
export * from "./outcomes.ts";
export * from "./estimates.ts";
export * from "./bounds.ts";
export * from "./hashes.ts";
export * from "./certificate.ts";
export * from "./page.ts";
export * from "./observe.ts";
export * from "./prompts.ts";
export * from "./subject.ts";
export * from "./issue.ts";
export * from "./read.ts";
export * from "./verify.ts";
export * from "./compare.ts";
export * from "./fresh.ts";
export * from "./soundness.ts";
