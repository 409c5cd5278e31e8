/**
 * Everything that a report tells of a run, read from its folder alone.
 *
 * Only `metrics.jsonl` must be there. Whatever else is absent is left out; whatever is there and cannot be read is named among the
 * problems, because a report that hides a broken file would lie.
 */
import { basename, join, resolve } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { type Exams, readExams } from "../evaluate/exams.ts";
import { readSamples, type Sample } from "../evaluate/samples.ts";
import { readScores, type Scores } from "../evaluate/scores.ts";
import {
  type Environment,
  readEnvironments,
  readSessions,
  type Session,
} from "../logging/environment.ts";
import { type MetricsRow, readMetrics } from "../logging/run_log.ts";
import { readSafetensors, SafetensorsFile } from "../model_files/safetensors.ts";
import type { Certificate } from "../safety/certificate/certificate.ts";
import { readCertificate } from "../safety/certificate/read.ts";
import { type AuditCheck, auditPath, verifyAudit } from "../stages/audit.ts";
import type { Ablation } from "./charts/rates.ts";
import { type FisherRow, fisherRows } from "./charts/memory.ts";

/** Settings as they stand in a file, of whatever version. */
export type Settings = Readonly<Record<string, unknown>>;

/** A checkpoint and what was noted with it. */
export interface CheckpointRecord {
  /** Name of the stage's attempt. */
  readonly stage: string;
  /** Steps done in it. */
  readonly step: number;
  /** Tokens trained in it. */
  readonly tokens: number;
  /** The stage was complete. */
  readonly complete: boolean;
  /** Loss on held-out data before the stage; null: not measured. */
  readonly heldOutBefore: number | null;
  /** After it. */
  readonly heldOutAfter: number | null;
  /** Its folder. */
  readonly folder: string;
}

/** A run as a report sees it. */
export interface RunData {
  /** As it was named. */
  readonly folder: string;
  /** Last part of the folder's path. */
  readonly name: string;
  /** The resolved configuration; null: no file. */
  readonly config: Settings | null;
  /** The same as it is written. */
  readonly configText: string | null;
  /** Rows of `metrics.jsonl`. */
  readonly metrics: readonly MetricsRow[];
  /** Headlines of the exams. */
  readonly scores: Scores;
  /** The exams with all families. */
  readonly exams: Exams;
  /** What was said. */
  readonly samples: readonly Sample[];
  /** The decisions, and whether their record is whole; null: no file. */
  readonly audit: AuditCheck | null;
  /** The certificate; null: none. */
  readonly certificate: Certificate | null;
  /** Ablations, where somebody made them. */
  readonly ablations: readonly Ablation[];
  /** In the order of training. */
  readonly checkpoints: readonly CheckpointRecord[];
  /** Weights of the policy; null: no checkpoint. */
  readonly parameters: number | null;
  /** The Fisher diagonal of the last checkpoint that has one. */
  readonly fisher: { readonly stage: string; readonly rows: readonly FisherRow[] } | null;
  /** Where it ran. */
  readonly environments: readonly Environment[];
  /** When it ran. */
  readonly sessions: readonly Session[];
  /** What could not be read, a line each. */
  readonly problems: readonly string[];
}

/** Keeps what is read from large files that never change. */
export type Memory = Map<string, unknown>;

/** Diagonals above this many bytes are not read: a report should not take longer than a stage. */
const LARGEST_FISHER = 256 * 2 ** 20;

/**
 * Reads a run folder.
 * @param memory What earlier calls read from checkpoints, for pages that are made again and again.
 * @throws {InputError} when there is no `metrics.jsonl` with a row.
 */
export async function readRunData(folder: string, memory: Memory = new Map()): Promise<RunData> {
  const problems: string[] = [];
  const orElse = async <T>(read: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) problems.push((error as Error).message);
      return otherwise;
    }
  };
  const metrics = await orElse(() => readMetrics(join(folder, "metrics.jsonl")), []);
  const configText = await orElse<string | null>(
    () => Deno.readTextFile(join(folder, "config.yaml")),
    null,
  );
  if (metrics.length === 0 && configText === null) {
    throw new InputError(
      `${folder}: neither config.yaml nor rows in metrics.jsonl: name the folder of a run, e.g. from deno task train`,
    );
  }
  const config = configText === null
    ? null
    : await orElse<Settings | null>(() => parseSettings(configText), null);
  const checkpoints = await orElse(() => readCheckpoints(folder, metrics), []);
  return {
    folder,
    name: basename(resolve(folder)),
    config,
    configText,
    metrics,
    scores: await orElse(() => readScores(folder), {}),
    exams: await orElse(() => readExams(folder), {}),
    samples: await orElse(() => readSamples(folder), []),
    audit: await exists(auditPath(folder)) ? await orElse(() => verifyAudit(folder), null) : null,
    certificate: await orElse(() => findCertificate(folder, checkpoints), null),
    ablations: await orElse(
      async () => JSON.parse(await Deno.readTextFile(join(folder, "ablations.json"))),
      [],
    ),
    checkpoints,
    parameters: await orElse(() => countParameters(checkpoints, memory), null),
    fisher: await orElse(() => lastFisher(checkpoints, memory), null),
    environments: await readEnvironments(folder),
    sessions: await orElse(() => readSessions(folder), []),
    problems,
  };
}

/** Loaded here, so that importing the toolkit does not fetch a YAML package. */
async function parseSettings(text: string): Promise<Settings> {
  const { parse } = await import("../deps/yaml.ts");
  return parse(text) as Settings;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Checkpoints with a `stage.json`, in the order in which `metrics.jsonl` names their stages. */
async function readCheckpoints(
  folder: string,
  metrics: readonly MetricsRow[],
): Promise<CheckpointRecord[]> {
  const order = [...new Set(metrics.map(({ stage }) => stage))];
  const found: CheckpointRecord[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(folder, "checkpoints"))) {
    const path = join(folder, "checkpoints", name);
    if (!isDirectory || name.startsWith(".") || !await exists(join(path, "stage.json"))) continue;
    const state = JSON.parse(await Deno.readTextFile(join(path, "stage.json")));
    found.push({ ...state, folder: path });
  }
  return found.sort((a, b) => order.indexOf(a.stage) - order.indexOf(b.stage) || a.step - b.step);
}

/** In the run folder, or else in that of the last checkpoint that has one. */
async function findCertificate(
  folder: string,
  checkpoints: readonly CheckpointRecord[],
): Promise<Certificate | null> {
  const places = [folder, ...checkpoints.map((one) => one.folder).reverse()];
  for (const place of places) {
    const path = join(place, "certificate.json");
    if (await exists(path)) return await readCertificate(path);
  }
  return null;
}

async function remembered<T>(memory: Memory, key: string, make: () => Promise<T>): Promise<T> {
  if (!memory.has(key)) memory.set(key, await make());
  return memory.get(key) as T;
}

async function countParameters(
  checkpoints: readonly CheckpointRecord[],
  memory: Memory,
): Promise<number | null> {
  const path = checkpoints.at(-1) && join(checkpoints.at(-1)!.folder, "model.safetensors");
  if (!path || !await exists(path)) return null;
  return await remembered(memory, path, async () => {
    using file = await SafetensorsFile.open(path);
    return [...file.tensors.values()]
      .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  });
}

async function lastFisher(
  checkpoints: readonly CheckpointRecord[],
  memory: Memory,
): Promise<RunData["fisher"]> {
  for (const { stage, folder } of [...checkpoints].reverse()) {
    const path = join(folder, "fisher.safetensors");
    const size = await Deno.stat(path).then(({ size }) => size, () => null);
    if (size === null || size > LARGEST_FISHER) continue;
    return await remembered(memory, path, async () => {
      const tensors = [...await readSafetensors(path)]
        .map(([name, { data }]) => [name, data as ArrayLike<number>] as const);
      return { stage, rows: fisherRows(new Map(tensors)) };
    });
  }
  return null;
}
