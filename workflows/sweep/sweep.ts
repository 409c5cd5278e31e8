/**
 * A sweep: settings, points, results, and the front, which is written anew after every setting.
 *
 * It keeps no state but its folder. Whoever starts it again, after a Ctrl-C, a crash or a change of its description, goes on with
 * the points that have no result.
 *
 *     sweep.yaml                              the description, which can be run again as it is
 *     points/<key>/ shared/<key>/             see run_point.ts
 *     progress.json                           what is being computed, while it runs
 *     front.json front.vl.json front.svg      the front
 */
import { join } from "node:path";
import { stringify } from "../deps/yaml.ts";
import { writeFileAtomic } from "../files.ts";
import { nextSetting } from "../pareto/adaptive.ts";
import type { AdaptiveRule } from "../pareto/adaptive.ts";
import { toSvg } from "../report/chart.ts";
import { frontChart } from "./chart.ts";
import { placeOf, startingSettings, type Values, valuesAt } from "./design.ts";
import type { Engine, PointProgress } from "./engine.ts";
import { type FrontReport, frontReport } from "./front.ts";
import { Planner } from "./plan.ts";
import { type Point, pointName, type PointResult } from "./point.ts";
import { readResults, resultPath } from "./results.ts";
import type { AdaptiveSearch, SweepSpec } from "./spec.ts";

/** Hears how a sweep goes. */
export interface SweepListener {
  /** Points are about to be computed: how many there are, and how many have a result already. */
  round(points: number, done: number): void;
  /** A point has its result. */
  done(point: Point, result: PointResult): void;
  /** How far a point is. */
  progress(point: Point, progress: PointProgress): void;
  /** One line for people. */
  note(line: string): void;
}

/** What to sweep, where, by what. */
export interface SweepRequest {
  /** The description. */
  readonly spec: SweepSpec;
  /** The sweep's folder. */
  readonly folder: string;
  /** Who computes. */
  readonly engine: Engine;
  /** Hears how it goes. */
  readonly listener: SweepListener;
  /** Aborted: stop soon, keep what there is. */
  readonly signal: AbortSignal;
}

/** How a sweep ended. */
export interface SweepOutcome {
  /** What was found. */
  readonly report: FrontReport;
  /** Points that failed, by name, with the reason. */
  readonly failed: Readonly<Record<string, string>>;
  /** It was asked to stop before its end. */
  readonly stopped: boolean;
}

/**
 * Runs a sweep to its end, or goes on with one.
 * @throws {InputError} when the description or a configuration is wrong, before a point is computed.
 */
export async function sweep(request: SweepRequest): Promise<SweepOutcome> {
  const { spec, folder, signal } = request;
  const planner = new Planner(spec);
  let points = await planner.points(startingSettings(spec.search));
  await writeDescription(folder, spec);
  const failed = new Map<string, string>();
  for (;;) {
    await computeMissing(request, points, failed);
    if (signal.aborted || failed.size > 0 || !spec.search.adaptive) break;
    const next = nextValues(spec.search.adaptive, await currentReport(request, points));
    if (!next) break;
    points = [...points, ...await planner.points([next])];
  }
  const report = await currentReport(request, points);
  await writeFront(folder, report);
  return { report, failed: Object.fromEntries(failed), stopped: signal.aborted };
}

/** Writes `sweep.yaml`. */
export async function writeDescription(folder: string, spec: SweepSpec): Promise<void> {
  await writeFileAtomic(join(folder, "sweep.yaml"), stringify(spec));
}

async function currentReport(
  { spec, folder }: Pick<SweepRequest, "spec" | "folder">,
  points: readonly Point[],
): Promise<FrontReport> {
  return frontReport(spec, points, await readResults(folder, points));
}

async function computeMissing(
  { spec, folder, engine, listener, signal }: SweepRequest,
  points: readonly Point[],
  failed: Map<string, string>,
): Promise<void> {
  const results = await readResults(folder, points);
  // Two ways to say one configuration are one point.
  const missing = new Map(
    points.filter(({ key }) => !results.has(key)).map((point) => [point.key, point]),
  );
  listener.round(points.length, points.length - missing.size);
  if (missing.size === 0) return;
  const running = new RunningPoints(folder, points.length);
  await engine.run([...missing.values()], {
    async done(point, result) {
      // Results of other machines are not here yet; those of this one are the same bytes.
      const path = resultPath(folder, point.key);
      await writeFileAtomic(path, `${JSON.stringify(result, null, 1)}\n`);
      results.set(point.key, result);
      running.ended(point);
      listener.done(point, result);
      await writeFrontJson(folder, frontReport(spec, points, results));
    },
    failed(point, error) {
      running.ended(point);
      failed.set(pointName(point), error.message);
      listener.note(`${pointName(point)} failed: ${error.stack ?? error.message}`);
    },
    progress(point, progress) {
      running.tell(point, progress, results.size);
      listener.progress(point, progress);
    },
    note: (line) => listener.note(line),
  }, signal).finally(() => running.close());
}

const PROGRESS_MS = 1000;

/** Writes `progress.json` now and then, for `--status` in another terminal. */
class RunningPoints {
  readonly #path: string;
  readonly #planned: number;
  readonly #running = new Map<string, object>();
  #written = -Infinity;
  #writing: Promise<void> = Promise.resolve();

  constructor(folder: string, planned: number) {
    this.#path = join(folder, "progress.json");
    this.#planned = planned;
  }

  ended({ key }: Point): void {
    this.#running.delete(key);
  }

  tell(point: Point, progress: PointProgress, done: number): void {
    this.#running.set(point.key, { point: pointName(point), key: point.key, ...progress });
    if (performance.now() - this.#written < PROGRESS_MS) return;
    this.#written = performance.now();
    const state = {
      time: new Date().toISOString(),
      done,
      planned: this.#planned,
      running: [...this.#running.values()],
    };
    // Nobody waits for it, and a sweep does not end because it could not be written once.
    this.#writing = writeFileAtomic(this.#path, `${JSON.stringify(state)}\n`).catch(() => {});
  }

  async close(): Promise<void> {
    await this.#writing;
    await Deno.remove(this.#path).catch(() => {});
  }
}

/** Where an adaptive sweep looks next; null when it has measured enough, or nothing is left to gain. */
function nextValues(search: AdaptiveSearch, report: FrontReport): Values | null {
  const { settings } = report;
  if (settings.length >= search.points) return null;
  const measured = settings.map(({ values, validation: [first, second] }) => ({
    at: placeOf(search, values),
    objectives: [first.mean, second.mean],
  }));
  const snap = (at: readonly number[]) => placeOf(search, valuesAt(search.keys, at));
  // Targets take turns; one that has nothing left to gain gives its turn to the next.
  const turn = settings.length - search.start;
  const rules = rulesOf(search);
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[(turn + i) % rules.length];
    const at = nextSetting(measured, rule, { resolution: search.resolution, snap });
    if (at) return valuesAt(search.keys, at);
  }
  return null;
}

function rulesOf({ rule, targets }: AdaptiveSearch): AdaptiveRule[] {
  if (rule === "gap" || rule === "hypervolume") return [{ kind: rule }];
  return targets.map((target): AdaptiveRule =>
    rule === "epsilon_constraint"
      ? { kind: rule, objective: 0, floors: [-Infinity, target] }
      : { kind: rule, weights: [target, 1 - target] }
  );
}

async function writeFrontJson(folder: string, report: FrontReport): Promise<void> {
  await writeFileAtomic(join(folder, "front.json"), `${JSON.stringify(report, null, 1)}\n`);
}

/** Writes the front as numbers and, where a setting is complete, as a chart. */
export async function writeFront(folder: string, report: FrontReport): Promise<void> {
  await writeFrontJson(folder, report);
  if (report.settings.length === 0) return;
  const spec = frontChart(report);
  await writeFileAtomic(join(folder, "front.vl.json"), `${JSON.stringify(spec, null, 1)}\n`);
  await writeFileAtomic(join(folder, "front.svg"), await toSvg(spec));
}

/** Points of a sweep as far as they are known from its results, and what they found; computes nothing. */
export async function sweepState(
  spec: SweepSpec,
  folder: string,
): Promise<{ readonly points: readonly Point[]; readonly report: FrontReport }> {
  const planner = new Planner(spec);
  let points = await planner.points(startingSettings(spec.search));
  for (;;) {
    const report = await currentReport({ spec, folder }, points);
    const complete = report.points.done === report.points.planned;
    const next = complete && spec.search.adaptive ? nextValues(spec.search.adaptive, report) : null;
    if (!next) return { points, report };
    points = [...points, ...await planner.points([next])];
  }
}
