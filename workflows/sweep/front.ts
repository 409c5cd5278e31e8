/**
 * What a sweep found: the front over its settings, and how sure that is.
 *
 * Validation decides (which settings are on the front, which lambda is chosen) and test is reported of those, because the best of
 * many noisy numbers is too good. A setting's value is its mean over seeds with Student's 95% interval of the mean; with one seed,
 * the interval of that one exam, which says nothing of other seeds.
 */
import { InputError } from "../../kernels/errors.ts";
import { type Attainment, attainment, attainmentSurface } from "../pareto/attainment.ts";
import { front } from "../pareto/front.ts";
import { hypervolume } from "../pareto/hypervolume.ts";
import { type LambdaStar, lambdaStar } from "../pareto/lambda_star.ts";
import { support } from "../pareto/scalarise.ts";
import { type FrontStep, type Knee, knees, tradeOffRates } from "../pareto/tradeoff.ts";
import { studentQuantile } from "../theory/statistics/distributions.ts";
import type { Values } from "./design.ts";
import type { Measure, Measures, Point, PointResult } from "./point.ts";
import type { SweepSpec } from "./spec.ts";

/** A setting's mean over its seeds. */
export interface SeedMean {
  /** Mean. */
  readonly mean: number;
  /** Lower end of the 95% interval. */
  readonly low: number;
  /** Upper end. */
  readonly high: number;
  /** The value of each seed, in the order of the seeds. */
  readonly seeds: readonly number[];
}

/** The two objectives. */
export type Pair<T> = readonly [first: T, second: T];

/** One setting, measured with all seeds. */
export interface Setting {
  /** Its name in the description of the sweep; null where settings have none. */
  readonly name: string | null;
  /** The values that were swept. */
  readonly values: Values;
  /** Keys of its points, in the order of the seeds. */
  readonly keys: readonly string[];
  /** Objectives on validation. */
  readonly validation: Pair<SeedMean>;
  /** Objectives on test; null where nothing else was measured. */
  readonly test: Pair<SeedMean> | null;
  /** No other setting is at least as good in both and better in one. */
  readonly onFront: boolean;
  /** On the front, and best for some weighted sum; false: only Tchebycheff and epsilon-constraints find it. */
  readonly supported: boolean;
  /** Share of seeds whose own points attain this setting's validation means; null off the front. */
  readonly attainment: Attainment | null;
}

/** A sweep's results, as `front.json` holds them. */
export interface FrontReport {
  /** The two measures. */
  readonly objectives: Pair<string>;
  /** The keys whose values differ between settings. */
  readonly keys: readonly string[];
  /** Seeds. */
  readonly seeds: readonly number[];
  /** Points with a result, and points planned so far. */
  readonly points: { readonly done: number; readonly planned: number };
  /** Settings that are complete, in the order of the plan. */
  readonly settings: readonly Setting[];
  /** Indices of the front, by rising first objective. */
  readonly front: readonly number[];
  /** Indices of front settings that no weighted sum finds. */
  readonly unsupported: readonly number[];
  /** Front settings that stand out, the highest first. */
  readonly knees: readonly Knee[];
  /** Trade-off rates between neighbours on the front (INFANT Eq. 59). */
  readonly rates: readonly FrontStep[];
  /** Area dominated above (0, 0): of the settings' means, and of each seed's own points. */
  readonly hypervolume: { readonly means: number; readonly seeds: readonly number[] } | null;
  /** What the best seed, half of the seeds and every seed attain. */
  readonly attainment: {
    readonly best: readonly Pair<number>[];
    readonly median: readonly Pair<number>[];
    readonly all: readonly Pair<number>[];
  };
  /** The choice under a minimum of the second objective; null where there is none or more than one key varies. */
  readonly lambdaStar: LambdaChoice | null;
}

/** SAAA Eq. 24 over the sweep. */
export interface LambdaChoice {
  /** The key that was swept. */
  readonly key: string;
  /** Floor of the second objective. */
  readonly minimum: number;
  /** By the means. */
  readonly byMean: LambdaStar;
  /** By the lower ends of their intervals: the floor is held with confidence. */
  readonly byLowerLimit: LambdaStar;
}

/**
 * The front of the settings that are complete.
 * @throws {InputError} when a result lacks an objective.
 */
export function frontReport(
  spec: Pick<SweepSpec, "objectives" | "seeds" | "minimum"> & Partial<Pick<SweepSpec, "search">>,
  points: readonly Point[],
  results: ReadonlyMap<string, PointResult>,
): FrontReport {
  const { objectives, seeds } = spec;
  const names = Object.keys(spec.search?.named ?? {});
  const complete = groups(points, seeds.length)
    .map((group, i) => ({ group, name: names[i] ?? null }))
    .filter(({ group }) => group.every(({ key }) => results.has(key)));
  const measured = complete.map(({ group, name }) => {
    const found = group.map(({ key }) => results.get(key)!);
    const tested = found.every(({ test }) => test !== null);
    return {
      name,
      values: group[0].values,
      keys: group.map(({ key }) => key),
      validation: pairOf(objectives, found.map(({ validation }) => validation)),
      test: tested ? pairOf(objectives, found.map(({ test }) => test!)) : null,
    };
  });
  const means = measured.map(({ validation: [x, y] }): Pair<number> => [x.mean, y.mean]);
  const runs = seeds.map((_, s) =>
    measured.map(({ validation: [x, y] }): Pair<number> => [x.seeds[s], y.seeds[s]])
  );
  const optimal = front(means).sort((a, b) => means[a][0] - means[b][0]);
  const { supported, unsupported } = measured.length > 0
    ? support(means)
    : { supported: [], unsupported: [] };
  const surface = (level: number) =>
    measured.length > 0 ? attainmentSurface(runs, level) as unknown as Pair<number>[] : [];
  const keys = varying(points);
  return {
    objectives,
    keys,
    seeds,
    points: {
      done: points.filter(({ key }) => results.has(key)).length,
      planned: points.length,
    },
    settings: measured.map((setting, i) => ({
      ...setting,
      onFront: optimal.includes(i),
      supported: supported.includes(i),
      attainment: optimal.includes(i) ? attainment(runs, means[i]) : null,
    })),
    front: optimal,
    unsupported,
    knees: knees(means),
    rates: tradeOffRates(means),
    hypervolume: measured.length > 0
      ? { means: hypervolume(means, [0, 0]), seeds: runs.map((run) => hypervolume(run, [0, 0])) }
      : null,
    attainment: {
      best: surface(1e-6),
      median: surface(0.5),
      all: surface(1 - 1e-6),
    },
    lambdaStar: lambdaChoice(spec.minimum, keys, measured),
  };
}

/** Keys of which there is more than one value; all of them where there is one setting only. */
function varying(points: readonly Point[]): string[] {
  const keys = [...new Set(points.flatMap(({ values }) => Object.keys(values)))];
  const several = keys.filter((key) =>
    new Set(points.map(({ values }) => JSON.stringify(values[key]))).size > 1
  );
  return several.length > 0 ? several : keys;
}

/** Points stand setting by setting, one for each seed. */
function groups(points: readonly Point[], seeds: number): Point[][] {
  return Array.from(
    { length: points.length / seeds },
    (_, i) => points.slice(i * seeds, (i + 1) * seeds),
  );
}

function pairOf([first, second]: Pair<string>, found: readonly Measures[]): Pair<SeedMean> {
  const of = (name: string) => seedMean(found.map((measures) => measureOf(measures, name)));
  return [of(first), of(second)];
}

function measureOf(measures: Measures, name: string): Measure {
  if (Object.hasOwn(measures, name)) return measures[name];
  const known = Object.keys(measures).join(", ");
  throw new InputError(`there is no measure "${name}": objectives may be ${known}`);
}

/** Mean and interval over seeds; ends that would leave [0, 1] are cut where all values lie within. */
export function seedMean(measures: readonly Measure[]): SeedMean {
  const seeds = measures.map(({ value }) => value);
  if (seeds.length === 1) {
    return { mean: seeds[0], low: measures[0].low, high: measures[0].high, seeds };
  }
  const { mean, low, high } = meanOverSeeds(seeds);
  const share = seeds.every((value) => value >= 0 && value <= 1);
  const cut = (end: number) => share ? Math.min(1, Math.max(0, end)) : end;
  return { mean, low: cut(low), high: cut(high), seeds };
}

/** Mean with Student's 95% interval; of a single seed its ends are infinite. */
export function meanOverSeeds(seeds: readonly number[]): SeedMean {
  const n = seeds.length;
  const mean = seeds.reduce((a, b) => a + b) / n;
  if (n === 1) return { mean, low: -Infinity, high: Infinity, seeds };
  const variance = seeds.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const half = studentQuantile(0.975, n - 1) * Math.sqrt(variance / n);
  return { mean, low: mean - half, high: mean + half, seeds };
}

function lambdaChoice(
  minimum: number | null,
  [key, ...others]: readonly string[],
  settings: readonly { readonly values: Values; readonly validation: Pair<SeedMean> }[],
): LambdaChoice | null {
  const numbers = settings.every(({ values }) => typeof values[key] === "number");
  if (minimum === null || settings.length === 0 || others.length > 0 || !numbers) return null;
  const choose = (safety: (second: SeedMean) => number) =>
    lambdaStar(
      settings.map(({ values, validation: [first, second] }) => ({
        lambda: values[key] as number,
        performance: first.mean,
        safety: safety(second),
      })),
      minimum,
    );
  return {
    key,
    minimum,
    byMean: choose(({ mean }) => mean),
    byLowerLimit: choose(({ low }) => low),
  };
}

/** A setting by its name or, where it has none, by the values that vary, each by the last word of its key: `rho=0.1`. */
export function settingLabel(
  { name, values }: Pick<Setting, "name" | "values">,
  keys: readonly string[],
): string {
  if (name !== null) return name;
  return keys.map((key) => `${key.split(".").at(-1)}=${values[key]}`).join(" ");
}

/** The results as lines for people. */
export function frontTable(report: FrontReport): string[] {
  const { objectives, settings, points, seeds } = report;
  const names = settings.map((setting) => settingLabel(setting, report.keys));
  const width = Math.max(7, ...names.map(({ length }) => length));
  const tested = settings.length > 0 && settings.every(({ test }) => test !== null);
  const columns = tested
    ? [...objectives, ...objectives.map((name) => `${name} (test)`)]
    : objectives;
  const rows = settings.map(({ validation, test }) =>
    [...validation, ...tested ? test! : []].map(cell)
  );
  const column = 1 + Math.max(...[...columns, ...rows.flat()].map(({ length }) => length));
  const line = (name: string, cells: readonly string[]) =>
    name.padEnd(width) + cells.map((cell) => cell.padStart(column)).join("");
  return [
    `${points.done} of ${points.planned} points done, ${seeds.length} seed${
      seeds.length === 1 ? "" : "s"
    } each; means with 95% intervals, * is on the front`,
    line("", columns),
    ...settings.map((setting, i) => {
      const marks = [
        setting.onFront ? "*" : "",
        setting.onFront && !setting.supported ? "no weighted sum finds it" : "",
        report.knees.some(({ index }) => index === i) ? "knee" : "",
      ].filter((mark) => mark !== "").join(", ");
      return `${line(names[i], rows[i])}  ${marks}`.trimEnd();
    }),
    ...summary(report),
  ];
}

function summary({ hypervolume, lambdaStar: choice, objectives }: FrontReport): string[] {
  const lines: string[] = [];
  if (hypervolume) {
    const { means, seeds } = hypervolume;
    const each = seeds.map((value) => value.toFixed(4)).join(", ");
    lines.push(`hypervolume above (0, 0): ${means.toFixed(4)}; seed by seed ${each}`);
  }
  if (choice) {
    const { key, minimum, byMean, byLowerLimit } = choice;
    const say = (lambda: number | null) => lambda === null ? "none" : `${key}=${lambda}`;
    lines.push(
      `lambda* for ${objectives[1]} of at least ${minimum}: ${say(byMean.lambda)} by means, ` +
        `${say(byLowerLimit.lambda)} by lower limits`,
    );
  }
  return lines;
}

const cell = ({ mean, low, high }: SeedMean): string =>
  `${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
