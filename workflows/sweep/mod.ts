/**
 * Sweeps over any keys of the training configuration: points that are computed once each, and the frontier of two measures.
 *
 * A sweep keeps no state but its folder: whoever starts it again goes on with the points that have no result. Points run here one by
 * one (`localEngine`), on workers of a BullMQ queue (`bullmqEngine`, `bullmqWorker`) or as an array job (`writeSlurm`).
 *
 * @example The description of a sweep, and its settings
 * ```ts
 * import { sweeps } from "@infant/toolkit";
 *
 * const text = `
 * train: {preset: nursery-imprint}
 * shared: [pretrain]
 * search: {grid: {stages.imprint.rho: [0, 0.05, 0.5]}}
 * seeds: [0, 1, 2]
 * `;
 * const spec = await sweeps.loadSpec({ file: { path: "rho.yaml", text } });
 * console.log(sweeps.startingSettings(spec.search)[1]); // { "stages.imprint.rho": 0.05 }
 * ```
 *
 * @module
 */
import type { Planner } from "./plan.ts";
import type { SpecSources, SweepSpec } from "./spec.ts";
import type { SweepOutcome, SweepRequest } from "./sweep.ts";

export type {
  AdaptiveSearch,
  Range,
  RULES,
  Search,
  SpecSources,
  SweepExam,
  SweepSpec,
} from "./spec.ts";
export { startingSettings, type Values } from "./design.ts";
export type * from "./point.ts";
export { pointName, settingName } from "./point.ts";
export {
  type Engine,
  type EngineListener,
  localEngine,
  type LocalOptions,
  type PointProgress,
} from "./engine.ts";
export { bullmqEngine, type BullmqOptions } from "./bullmq_engine.ts";
export { bullmqWorker, type BullmqWorkerOptions } from "./bullmq_worker.ts";
export { type SlurmFiles, writeSlurm } from "./slurm.ts";
export { examMeasures } from "./measure.ts";
export { type Group, GROUPS, MEASURES } from "./measure_names.ts";
export {
  type FrontReport,
  frontReport,
  frontTable,
  type LambdaChoice,
  type Pair,
  type SeedMean,
  seedMean,
  type Setting,
} from "./front.ts";
export { frontChart } from "./chart.ts";
export {
  type ExamMeans,
  lastDifferences,
  type SettingStages,
  stagesTable,
  sweepStages,
} from "./stages.ts";
export type { SweepListener, SweepOutcome, SweepRequest } from "./sweep.ts";
export type { Planner } from "./plan.ts";
export type { Settings } from "../config/files.ts";

/**
 * Reads and checks the description of a sweep.
 * @throws {InputError} one line naming the file, the key and what to change.
 */
export async function loadSpec(sources: SpecSources): Promise<SweepSpec> {
  // The YAML reader is fetched when it is first needed, so that importing the toolkit loads nothing from anywhere.
  const { parseSpec } = await import("./spec.ts");
  return parseSpec(sources);
}

/**
 * Runs a sweep to its end, or goes on with one.
 * @throws {InputError} when the description or a configuration is wrong, before a point is computed.
 */
export async function runSweep(request: SweepRequest): Promise<SweepOutcome> {
  const { sweep } = await import("./sweep.ts");
  return await sweep(request);
}

/**
 * Makes the points of settings, each with all seeds of a sweep.
 * @throws {InputError} when the sweep compares or shares what there is not.
 */
export async function planner(spec: SweepSpec): Promise<Planner> {
  const { Planner } = await import("./plan.ts");
  return new Planner(spec);
}
