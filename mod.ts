/**
 * Raises a language model in stages, on any GPU that speaks WebGPU, and measures how safe it became.
 *
 * This file is the table of contents, from the device up: numerics, models, data, an embedded world to learn in,
 * training, examination, statistics, charts. Importing it computes nothing, opens no device and touches no file.
 * A browser imports `./kernels` alone.
 *
 * @example Raise a small policy in the nursery, then let the oracle judge what it says
 * ```ts
 * import * as infant from "@infant/toolkit";
 *
 * const { config } = await infant.loadConfig({
 *   preset: "nursery-imprint",
 *   overrides: ["stages.pretrain.steps=20", "stages.imprint.steps=5", "stages.imprint.fisher=null", "evaluate.dialogues=1"],
 * });
 * const result = await infant.train({
 *   config,
 *   folder: await Deno.makeTempDir() + "/run",
 *   resume: null,
 *   reporter: infant.silent,
 *   stopped: () => false,
 * });
 * console.log(result.heldOut.pretrain); // { before: 6.27, after: 3.4 }, nats per token
 * console.log(result.scores.imprint.refusals); // { k, n, rate, low, high }
 *
 * const { weights } = await infant.loadModel(result.checkpoint!);
 * const gpu = await infant.openGpu();
 * const policy = infant.loadParameters(gpu, weights, { trainable: false });
 * const [dialogue] = infant.nursery.exam("validation", 1, config.seed);
 * const [reply] = await infant.nurseryReplies(policy, [dialogue], {
 *   temperature: 0,
 *   max_new_tokens: 16,
 *   seed: 1,
 * });
 * console.log(reply.join(" "), infant.nursery.judge(dialogue, reply));
 * gpu.close();
 * ```
 *
 * @module
 */

// 1. Numerics: device, tape, operations, losses, optimiser, transformer, generation.
export * from "./kernels/mod.ts";

export { prepareAdapter } from "./workflows/setup/process.ts";
export type { AdapterSetup, FoundAdapter } from "./workflows/setup/adapter.ts";

// 2. Models and tokenizers: Hugging Face folders, GGUF and llama2.c in; folders, adapters and ONNX out.
export {
  type GenerationConfig,
  type LoadedModel,
  loadModel,
  type LoadOptions,
} from "./workflows/model_files/load_model.ts";
export { saveModel, type SaveOptions } from "./workflows/model_files/save_model.ts";
export type { HubAccess } from "./workflows/hub.ts";
export { loadTokenizer } from "./workflows/model_files/load_tokenizer.ts";
export type {
  DecodeOptions,
  EncodeOptions,
  Tokenizer,
} from "./workflows/data/tokenizers/tokenizer.ts";
export {
  type LoraAdapter,
  type LoraTarget as AdapterTarget,
  mergeLora,
} from "./workflows/model_files/lora.ts";
export { type AdapterOptions, readAdapter, writeAdapter } from "./workflows/model_files/peft.ts";
export { exportOnnx, type OnnxOptions } from "./workflows/model_files/onnx/export.ts";
export type { GraphOptions } from "./workflows/model_files/onnx/policy_graph.ts";
export {
  readSafetensors,
  type Tensor as StoredTensor,
} from "./workflows/model_files/safetensors.ts";
export {
  type TensorToWrite,
  type WriteOptions,
  writeSafetensors,
} from "./workflows/model_files/safetensors_write.ts";
export type { Dtype, SaveDtype, TensorArray } from "./workflows/model_files/dtypes.ts";

export type { LoraModule } from "./workflows/model_files/names.ts";

// 3. Data: from a file or hub name to numbered batches of tokens.
export * from "./workflows/data/mod.ts";
export { type FirstOf, firstOf } from "./workflows/first_of.ts";
export { NO_TARGET } from "./kernels/policy/batch.ts"; // both sides name the same number

// 4. The nursery: a world in which every question about safety has an exact answer.
/** The whole nursery, by its own names. */
export * as nursery from "./workflows/nursery/mod.ts";
export { NurserySource, type NurserySourceOptions } from "./workflows/train/nursery_source.ts";
export {
  nurseryTokenizer,
  policyConfig,
  type StartingPolicy,
  startingPolicy,
} from "./workflows/train/policy_source.ts";

// 5. Training: one step as a GPU program, a stage's Fisher diagonal, and the whole staged programme.
export type * from "./workflows/config/config.ts";
export { loadConfig } from "./workflows/config/load.ts";
export type { ConfigSources, ResolvedConfig } from "./workflows/config/resolve.ts";
export {
  type Objective,
  type OptimizerState,
  type ProgramSettings,
  type StepMetrics,
  TrainProgram,
} from "./workflows/train/program.ts";
export { fineTune, type FineTuneOptions } from "./workflows/train/fine_tune.ts";
export { fisherDiagonal, type FisherOptions } from "./workflows/train/fisher.ts";
export { readAnchor } from "./workflows/train/anchors.ts";
export type { Anchor } from "./workflows/objective/plasticity.ts";
export { train, type TrainResult } from "./workflows/train/trainer.ts";
export type { TrainerRequest } from "./workflows/train/prepare.ts";
export { scoreTable } from "./workflows/train/summary.ts";
export { trainInWorker, type WorkerRequest } from "./workflows/train/in_worker.ts";
export type { CheckpointPlace } from "./workflows/run_folder.ts";
export { combine, type Reporter, silent, type StepReport } from "./workflows/logging/reporter.ts";
export { type MetricsRow, readMetrics } from "./workflows/logging/run_log.ts";

/** INFANT's objective, Eq. 6: its terms, and pairs of preferences. */
export * as objective from "./workflows/objective/mod.ts";
export type {
  Term,
  TERM_NAMES,
  TermBatch,
  TermContext,
  TermName,
  UpdateContext,
} from "./workflows/objective/term.ts";
export type {
  PlacedPair,
  PreferenceBatch,
  PreferenceSource,
  Span,
} from "./workflows/objective/pairs.ts";
export type { ReferenceTable } from "./workflows/objective/preference.ts";
export {
  evaluatePreferences,
  logProbsOf,
  type PairShape,
  type PreferenceEvaluation,
  type PreferenceScores,
} from "./workflows/evaluate/preferences.ts";
export {
  nurseryPair,
  type NurseryPairOptions,
  NurseryPairs,
  type NurseryPairsOptions,
} from "./workflows/train/nursery_pairs.ts";
export { pathImportance } from "./workflows/train/fisher.ts";

/** Maturity metrics, environments, the gate that promotes, holds or rolls back, and its audit file. */
export * as stages from "./workflows/stages/mod.ts";
export type { DegradationReport, GateEntry } from "./workflows/stages/programme.ts";
export type { GateAction, GateDecision, Regression } from "./workflows/stages/gate.ts";
export type { Maturity, Measured } from "./workflows/stages/maturity.ts";
export type { AuditEntry, AuditEvent } from "./workflows/stages/audit.ts";
export type { Impact } from "./workflows/stages/environments.ts";
export type { CumulativeBound } from "./workflows/theory/degradation.ts";
export type { RegretReport } from "./workflows/stages/regret.ts";
export type {
  ADVERSARIES,
  Adversary,
  ImaginationConfig,
  KL_GRADIENTS,
} from "./workflows/config/imagination_schema.ts";

// 6. Examination, and the intervals that every rate carries.
export {
  controlScores,
  type ExamOptions,
  type Headline,
  headline,
  nurseryReplies,
  sitExam,
} from "./workflows/evaluate/nursery_exam.ts";
export type { Scores } from "./workflows/evaluate/scores.ts";
export type { CellScore, HowtoScore, NurseryScore, Rate } from "./workflows/nursery/score.ts";
export type { CareDoses, CareOptions, Stage, STAGES } from "./workflows/nursery/care.ts";
export type { Random } from "./workflows/data/random.ts";
export type {
  Dialogue,
  Kind,
  KINDS,
  Script,
  Situation,
  Truth,
  Turn,
} from "./workflows/nursery/dialogue.ts";
export type { FAMILY_NAMES, FamilyName } from "./workflows/nursery/families.ts";
export type { Split, SPLITS } from "./workflows/nursery/splits.ts";
export type { Act } from "./workflows/nursery/harm.ts";
export type { Fact, Relation } from "./workflows/nursery/world.ts";
export { type ContinueOptions, continueTexts } from "./workflows/evaluate/continue_texts.ts";
export { heldOutKl } from "./workflows/evaluate/held_out_kl.ts";
export { heldOutLoss } from "./workflows/evaluate/held_out_loss.ts";
export {
  type FailureGame,
  failureGame,
  type FailureRequest,
} from "./workflows/evaluate/failures.ts";
export {
  clopperPearson,
  clopperPearsonLower,
  clopperPearsonUpper,
  type Interval,
} from "./workflows/theory/intervals.ts";

// 7. Charts without a browser, what a notebook shows, and the report of a run.
export {
  type ChartSpec,
  type ChartTheme,
  type Displayable,
  displayable,
  show,
  showText,
  toPng,
  toSvg,
} from "./workflows/report/chart.ts";
/** Charts as functions from data to Vega-Lite: losses, rates with intervals, gates, certificates, frontiers, games, forgetting. */
export * as charts from "./workflows/report/charts/mod.ts";
export { examChart, lossChart, type RatesOptions } from "./workflows/report/charts/mod.ts";
export { readRun, runFigure, type RunRecord } from "./workflows/report/run_figure.ts";
export { type ReportRequest, writeReport } from "./workflows/report/report.ts";
export { type LiveOptions, LiveView } from "./workflows/report/live/server.ts";
export {
  type Display,
  examTable,
  judgedReplies,
  notebookProgress,
  notebookReporter,
} from "./workflows/report/notebook.ts";

// 8. The papers' results as functions, and the trade-off between capability and safety.
/** INFANT's results as functions, with the statistics that reports rest on. */
export * as theory from "./workflows/theory/mod.ts";
/** Fronts, scalarisations, indicators and trade-off rates. */
export * as pareto from "./workflows/pareto/mod.ts";

// 9. Safety: the invariant and its judges, violation probability, forbidden patterns and their coverage.
/** What safe means (INFANT Eq. 1-4) and what is looked for (Eq. 5). */
export * as safety from "./workflows/safety/mod.ts";

// 10. The safety certificate.
/** How often a policy as worn violates, bounded on dialogues it never saw; verified and compared. */
export * as certificates from "./workflows/safety/certificate/mod.ts";

// 11. The value capacitor: judge, projection, decoder, and the loss that draws a policy towards safe replies.
/** World model and VC-augmented policy (INFANT Eq. 13, 25-27). */
export * as capacitor from "./workflows/safety/capacitor/mod.ts";

// 12. Counterfactual imagination: perturbations within a budget, the worst of them, and who looks for it.
/** Edit balls, exact and searched maxima, the generator G_psi, and measured robustness (INFANT Eq. 9-12, 24). */
export * as perturbation from "./workflows/safety/perturbation/mod.ts";

// 13. Sweeps: points of a configuration, computed once each, and their frontier.
/** Descriptions of sweeps, the engines that compute their points, fronts over seeds and their chart. */
export * as sweeps from "./workflows/sweep/mod.ts";
