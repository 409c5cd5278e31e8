/**
 * `point -> result`, idempotent: what lies in the folder already is not computed again, what was interrupted goes on from its last
 * checkpoint, and of two processes that want the same point one computes while the other waits for its result.
 *
 *     points/<key>/result.json   the result, written whole; nothing in it depends on the clock or the machine
 *     points/<key>/timing.json   who computed it and how long that took
 *     points/<key>/run/          the run folder of its training
 *     shared/<key>/              the same for stages that points share
 */
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { InputError } from "../../kernels/errors.ts";
import { loadParameters } from "../../kernels/policy/parameters.ts";
import type { TrainConfig } from "../config/config.ts";
import { sitExam } from "../evaluate/nursery_exam.ts";
import { writeFileAtomic, writeFolderAtomic } from "../files.ts";
import type { Reporter } from "../logging/reporter.ts";
import { readMetrics } from "../logging/run_log.ts";
import { isFile } from "../model_files/files.ts";
import { listCheckpoints } from "../run_folder.ts";
import { openDevice } from "../setup/open.ts";
import { attemptNames } from "../stages/programme.ts";
import { loadWeights } from "../train/policy_source.ts";
import { train } from "../train/trainer.ts";
import { examMeasures } from "./measure.ts";
import type {
  Measure,
  Measures,
  ModuleResult,
  Point,
  PointFunction,
  PointResult,
  SharedStages,
  TrainingWork,
} from "./point.ts";
import { pointFolder, readResult, resultPath } from "./results.ts";

/** Who listens while a point is computed. */
export interface PointHooks {
  /** Hears how training goes. */
  readonly reporter: Reporter;
  /** True once it should save and stop. */
  readonly stopped: () => boolean;
  /** GPU adapter, by part of its name; null: the best there is. */
  readonly adapter: string | null;
}

/** What a computation finds; the rest of the result is known before. */
type Found = Pick<PointResult, "validation" | "test" | "cost">;

/**
 * Computes a point, or finds its result. Null when it was told to stop; what was trained until then is kept.
 * @throws {InputError} when the point cannot be computed as configured.
 */
export async function runPoint(
  point: Point,
  folder: string,
  hooks: PointHooks,
): Promise<PointResult | null> {
  const place = pointFolder(folder, point.key);
  using _lock = await lock(place);
  const known = await readResult(folder, point.key);
  if (known) return known;
  const started = performance.now();
  const { work, key, values, seed } = point;
  const found = work.kind === "module"
    ? await callModule(work.path, point, hooks)
    : await trainAndExamine(work, { folder, place, seed }, hooks);
  if (found === null || hooks.stopped()) return null;
  const timing = {
    seconds: Number(((performance.now() - started) / 1000).toFixed(3)),
    finished: new Date().toISOString(),
    process: Deno.pid,
  };
  await writeFileAtomic(join(place, "timing.json"), `${JSON.stringify(timing)}\n`);
  const result: PointResult = { key, values, seed, ...found };
  await writeFileAtomic(resultPath(folder, key), `${JSON.stringify(result, null, 1)}\n`);
  return result;
}

/** Holds a folder, which is made where it is missing. The operating system gives it free when a process dies. */
async function lock(folder: string): Promise<Disposable> {
  await Deno.mkdir(folder, { recursive: true });
  const file = await Deno.open(join(folder, ".lock"), { create: true, write: true });
  await file.lock(true);
  return file;
}

async function callModule(
  path: string,
  { values, seed }: Point,
  { reporter, stopped }: PointHooks,
): Promise<Found> {
  const { default: run } = await import(pathToFileURL(resolve(path)).href) as {
    default: PointFunction;
  };
  if (typeof run !== "function") {
    throw new InputError(`${path}: its default export must be a function (values, seed, hooks)`);
  }
  let begun = false;
  const progress = (done: number, of: number) => {
    if (!begun) reporter.stage("point", of);
    begun = true;
    reporter.step({ step: done, loss: NaN, tokens: 0 });
  };
  const { validation, test, cost = {} }: ModuleResult = await run(values, seed, {
    progress,
    stopped,
  });
  return { validation: measured(validation), test: test ? measured(test) : null, cost };
}

function measured(values: ModuleResult["validation"]): Measures {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]): [string, Measure] => {
      const measure = typeof value === "number" ? { value, low: value, high: value } : value;
      if (Number.isFinite(measure.value)) return [name, measure];
      throw new InputError(`measure ${name} must be a finite number, found ${measure.value}`);
    }),
  );
}

interface Place {
  readonly folder: string;
  readonly place: string;
  readonly seed: number;
}

async function trainAndExamine(
  { config, shared, exam, capability }: TrainingWork,
  { folder, place, seed }: Place,
  hooks: PointHooks,
): Promise<Found | null> {
  const run = join(place, "run");
  if (shared && !await isFile(join(run, "config.yaml"))) {
    const begun = await sharedRun(shared, folder, hooks);
    if (begun === null) return null;
    await continueIn(run, begun, config);
  }
  const checkpoint = await trainOrResume(config, run, hooks);
  if (checkpoint === null) return null;
  const wanted = { adapter: hooks.adapter, matmul: config.matmul };
  const gpu = await openDevice(wanted, (line) => hooks.reporter.note(line));
  try {
    const policy = loadParameters(gpu, await loadWeights(checkpoint), { trainable: false });
    const sit = async (split: "validation" | "test") => {
      const onProgress = () => !hooks.stopped();
      return examMeasures(await sitExam(policy, { ...exam, split, seed, onProgress }), capability);
    };
    const shareds = shared?.config.stages.map(({ name }) => name) ?? [];
    return {
      validation: await sit("validation"),
      test: await sit("test"),
      cost: await trainingCost(run, shareds),
    };
  } finally {
    gpu.close();
  }
}

/** The run folder of shared stages, trained by whoever comes first; null when told to stop. */
async function sharedRun(
  { key, config }: SharedStages,
  folder: string,
  hooks: PointHooks,
): Promise<string | null> {
  const place = join(folder, "shared", key);
  using _lock = await lock(place);
  const [done, run] = [join(place, "done.json"), join(place, "run")];
  if (!await isFile(done)) {
    const checkpoint = await trainOrResume(config, run, hooks);
    if (checkpoint === null) return null;
    await writeFileAtomic(done, `${JSON.stringify({ checkpoint: basename(checkpoint) })}\n`);
  }
  return run;
}

/** Trains the shared stages of a point alone, for engines that do so before the points. False when told to stop. */
export async function runShared(
  shared: SharedStages,
  folder: string,
  hooks: PointHooks,
): Promise<boolean> {
  return await sharedRun(shared, folder, hooks) !== null;
}

/**
 * A run that goes on from a copy of another's folder, under its own configuration: to the trainer it is a run that is resumed, with all
 * that the shared stages left, their world model too.
 */
async function continueIn(run: string, begun: string, config: TrainConfig): Promise<void> {
  const { configYaml } = await import("../config/resolve.ts");
  await writeFolderAtomic(run, async (temporary) => {
    await copyFolder(begun, temporary);
    await Deno.writeTextFile(join(temporary, "config.yaml"), configYaml({ ...config, out: run }));
  });
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    if (isDirectory) await copyFolder(source, target);
    else await Deno.copyFile(source, target);
  }
}

/** A run to its end, from where it is; its last checkpoint, or null when told to stop. */
async function trainOrResume(
  config: TrainConfig,
  folder: string,
  { reporter, stopped, adapter }: PointHooks,
): Promise<string | null> {
  const names = config.stages.flatMap(({ name }) => attemptNames(name, config.gate));
  const resume = (await listCheckpoints(folder, names.map((name) => ({ name })))).at(-1) ?? null;
  // A run that died before its first checkpoint has nothing to go on from.
  if (!resume) await Deno.remove(folder, { recursive: true }).catch(() => {});
  const request = { config: { ...config, adapter }, folder, resume, reporter, stopped };
  const { checkpoint, stopped: halted } = await train(request);
  if (halted) return null;
  if (checkpoint !== null) return checkpoint;
  throw new InputError("the gate ended its first stage: there is no policy to measure");
}

/** Optimiser steps and tokens of a run, over all its stages but those that it shares. */
async function trainingCost(
  run: string,
  shared: readonly string[],
): Promise<{ steps: number; tokens: number }> {
  const last = new Map<string, { steps: number; tokens: number }>();
  for (const { stage, step, num_tokens } of await readMetrics(join(run, "metrics.jsonl"))) {
    if (shared.includes(stage)) continue;
    const before = last.get(stage)?.tokens ?? 0;
    last.set(stage, { steps: step, tokens: Math.max(before, Number(num_tokens ?? 0)) });
  }
  const sum = (pick: (stage: { steps: number; tokens: number }) => number) =>
    [...last.values()].reduce((total, stage) => total + pick(stage), 0);
  return { steps: sum(({ steps }) => steps), tokens: sum(({ tokens }) => tokens) };
}
