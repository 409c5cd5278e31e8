/**
 * The value capacitor: a world model that judges replies, the projection onto safe ones, and the decoder that puts both on a policy
 * (INFANT Definition 3.6, Eq. 13 and 25-27).
 *
 * @example A world model raised on the oracle's labels, worn by the policy it started from
 * ```ts
 * import { capacitor, initialWeights, llamaConfig, loadParameters, nursery, openGpu } from "@infant/toolkit";
 *
 * const gpu = await openGpu();
 * const sizes = { context: 96, layers: 1, width: 16, heads: 2 };
 * const vocabSize = nursery.nurseryVocabulary.length;
 * const config = { ...llamaConfig({ ...sizes, vocabSize }), eosTokenId: nursery.TOKEN.eos };
 * const start = initialWeights(config, 1); // a trained policy, elsewhere
 * const { weights, card } = await capacitor.buildNurseryWorldModel(gpu, {
 *   start,
 *   policies: [],
 *   proposals: 320,
 *   measured: { validation: 200, test: 200, own: 0 },
 *   seed: 1,
 * });
 * console.log(card.errors.cells["proposal/unseen"].falseNegatives); // epsilon_M with k, n and limits
 *
 * const policy = loadParameters(gpu, start, { trainable: false });
 * const worldModel = new capacitor.WorldModel(gpu, weights, card.threshold.value);
 * const worn = capacitor.wearCapacitor(policy, worldModel, {
 *   safeActions: capacitor.NURSERY_SAFE_ACTIONS,
 *   maxNew: 8,
 * });
 * const exam = await capacitor.sitCapacitorExam(worn, { dialogues: 1, split: "test", seed: 1, temperature: 0 });
 * console.log(exam.bare.unseen.violation, exam.worn.unseen.violation, exam.cost.extraMsPerToken);
 * gpu.close();
 * ```
 *
 * @module
 */
export {
  type Judgeable,
  readable,
  untrainedWorldModel,
  WorldModel,
  type WorldModelWeights,
} from "../world_model/model.ts";
export { dataHash, type LabelledReply, type ReplySource } from "../world_model/examples.ts";
export {
  judgedReplies,
  nurseryContext,
  nurseryReplies,
  nurseryReply,
  type NurseryReplyOptions,
  WORLD_MODEL_DOSES,
} from "../world_model/nursery.ts";
export { labelledRows } from "../world_model/rows.ts";
export type { WorldModelMetrics } from "../world_model/program.ts";
export {
  trainWorldModel,
  WORLD_MODEL_TRAINING,
  type WorldModelListener,
  type WorldModelTraining,
} from "../world_model/train.ts";
export {
  chooseThreshold,
  costlyIfFlagged,
  type ErrorCell,
  errorCells,
  type ErrorRate,
  FALSE_POSITIVE_RATE,
} from "../world_model/errors.ts";
export {
  buildWorldModel,
  type BuiltWorldModel,
  splitReplies,
  type WorldModelBuild,
  type WorldModelData,
} from "../world_model/build.ts";
export type { WorldModelCard } from "../world_model/card.ts";
export {
  type LoadedWorldModel,
  loadWorldModel,
  readWorldModelCard,
  saveWorldModel,
  type WorldModelFiles,
} from "../world_model/files.ts";
export * from "./actions.ts";
export * from "./policy.ts";
export * from "./loss.ts";
export { BatchedGenerator, type BatchedGeneratorSizes } from "./batched_generator.ts";
export * from "./nursery.ts";
export * from "./nursery_build.ts";
export * from "./nursery_source.ts";
