/**
 * A finished or running sweep as a report sees it: its folder's `front.json`, and the run folders of its points.
 */
import { basename, join, resolve } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import type { Objectives } from "../pareto/front.ts";
import type { Estimated } from "./charts/parts.ts";

/** A setting of a sweep. */
export interface SweepSetting {
  /** What sets it apart, e.g. `rho=0.1`. */
  readonly name: string;
  /** The values that were swept, by dotted key. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Run folders of its points, one a seed; null where there is none. */
  readonly runs: readonly (string | null)[];
  /** The two objectives on validation, which decide. */
  readonly validation: readonly [Estimated, Estimated];
  /** On test, which is reported; null: not measured. */
  readonly test: readonly [Estimated, Estimated] | null;
  /** No other setting is as good in both and better in one. */
  readonly onFront: boolean;
  /** On the front, and some weighted sum finds it. */
  readonly supported: boolean;
}

/** A sweep. */
export interface SweepData {
  /** As it was named. */
  readonly folder: string;
  /** Last part of the folder's path. */
  readonly name: string;
  /** Names of the two objectives. */
  readonly objectives: readonly [string, string];
  /** Seeds of every setting. */
  readonly seeds: readonly number[];
  /** Points with a result, and points planned. */
  readonly points: { readonly done: number; readonly planned: number };
  /** Settings that are complete. */
  readonly settings: readonly SweepSetting[];
  /** Objectives of each seed's own points on validation, one list a seed. */
  readonly bySeed: readonly (readonly Objectives[])[];
}

/** A mean over seeds, as `front.json` has it. */
interface SeedMean {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly seeds: readonly number[];
}

/** The part of `front.json` that is read here. */
interface FrontFile {
  readonly objectives: readonly [string, string];
  readonly seeds: readonly number[];
  readonly points: SweepData["points"];
  readonly settings: readonly {
    readonly name: string | null;
    readonly values: Readonly<Record<string, unknown>>;
    readonly keys: readonly string[];
    readonly validation: readonly [SeedMean, SeedMean];
    readonly test: readonly [SeedMean, SeedMean] | null;
    readonly onFront: boolean;
    readonly supported: boolean;
  }[];
}

/**
 * Reads a sweep's folder.
 * @throws {InputError} when it has no `front.json`, or one that is not a sweep's.
 */
export async function readSweepData(folder: string): Promise<SweepData> {
  const path = join(folder, "front.json");
  let front: FrontFile;
  try {
    front = JSON.parse(await Deno.readTextFile(path));
    if (!Array.isArray(front.settings) || front.objectives.length !== 2) {
      throw new Error("settings or objectives are missing");
    }
  } catch (error) {
    throw new InputError(
      `${path} cannot be read (${
        (error as Error).message
      }): name the folder of a sweep, e.g. from deno task sweep`,
    );
  }
  const { objectives, seeds, points, settings } = front;
  return {
    folder,
    name: basename(resolve(folder)),
    ...{ objectives, seeds, points },
    settings: await Promise.all(settings.map(async ({ name, values, keys, ...setting }) => ({
      name: name ?? nameOf(values),
      values,
      runs: await Promise.all(keys.map((key: string) => runFolder(folder, key))),
      validation: pair(setting.validation),
      test: setting.test && pair(setting.test),
      onFront: setting.onFront,
      supported: setting.supported,
    }))),
    bySeed: seeds.map((_, s) =>
      settings.map(({ validation: [a, b] }): Objectives => [a.seeds[s], b.seeds[s]])
    ),
  };
}

function nameOf(values: Readonly<Record<string, unknown>>): string {
  const text = (value: unknown) => typeof value === "string" ? value : JSON.stringify(value);
  return Object.entries(values)
    .map(([key, value]) => `${key.split(".").at(-1)}=${text(value)}`).join(" ");
}

function pair([a, b]: readonly [SeedMean, SeedMean]): [Estimated, Estimated] {
  const of = ({ mean, low, high }: SeedMean): Estimated => ({ rate: mean, low, high });
  return [of(a), of(b)];
}

async function runFolder(folder: string, key: string): Promise<string | null> {
  const path = join(folder, "points", key, "run");
  return await Deno.stat(path).then(() => path, () => null);
}
