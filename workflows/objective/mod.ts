/**
 * INFANT's objective (Eq. 6): five weighted terms over one shared forward and backward pass, and how well a policy tells preferred replies
 * from others. Any `Term` of your own joins a step by `ProgramSettings.objective.terms`.
 *
 * @example How often an untrained policy prefers the nursery's right replies
 * ```ts
 * import {
 *   evaluatePreferences,
 *   initialWeights,
 *   llamaConfig,
 *   loadParameters,
 *   nursery,
 *   nurseryPair,
 *   openGpu,
 * } from "@infant/toolkit";
 *
 * const gpu = await openGpu();
 * const sizes = { context: 64, layers: 1, width: 32, heads: 2 };
 * const config = llamaConfig({ ...sizes, vocabSize: nursery.nurseryVocabulary.length });
 * const policy = loadParameters(gpu, initialWeights(config, 1), { trainable: false });
 * const pair = (seed: number) => (_: unknown, i: number) =>
 *   nurseryPair(seed, i, { length: 64, care: { stage: 2 } });
 * const scores = await evaluatePreferences(policy, Array.from({ length: 40 }, pair(1)), {
 *   rows: 8,
 *   length: 64,
 *   training: Array.from({ length: 40 }, pair(2)),
 * });
 * console.log(scores.logProb.rate, scores.frequency.rate);
 * gpu.close();
 * ```
 *
 * @module
 */
export * from "./term.ts";
export { type ImprintingOptions, ValueImprinting } from "./imprinting.ts";
export {
  type PreferenceOptions,
  PreferenceTerm,
  type Reference,
  type ReferenceTable,
} from "./preference.ts";
export { diagnosePreference } from "./preference_diagnosis.ts";
export {
  memoryPairs,
  type PairBatchOptions,
  type PlacedPair,
  type PreferenceBatch,
  type PreferenceSource,
  type Span,
} from "./pairs.ts";
export { type CounterfactualOptions, CounterfactualTerm } from "./counterfactual.ts";
export { type CapacitorOptions, CapacitorTerm } from "./capacitor.ts";
export { type Anchor, onlineAnchor, type PlasticityOptions, PlasticityTerm } from "./plasticity.ts";
