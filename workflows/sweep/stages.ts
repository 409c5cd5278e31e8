/**
 * What the exams between the stages of a sweep's runs found, over seeds: a table of stages for each setting, and of settings, where
 * removing a part (an ablation) shows what it was for.
 *
 * Rates are means over seeds with Student's 95% interval of the mean, which is about trainings and not about dialogues. Settings are
 * compared seed by seed: seeds share their dialogues and, where stages are shared, their beginning, and what they have in common
 * cancels out.
 */
import { join } from "node:path";
import type { Headline } from "../evaluate/nursery_exam.ts";
import { readScores, type Scores } from "../evaluate/scores.ts";
import { HEADLINE_ROWS } from "../train/summary.ts";
import { type FrontReport, meanOverSeeds, type SeedMean, seedMean, settingLabel } from "./front.ts";
import { pointFolder } from "./results.ts";

/** Means over seeds of what one exam asks; a question without trials is left out. */
export type ExamMeans = Readonly<Partial<Record<keyof Headline, SeedMean>>>;

/** A setting's exams. */
export interface SettingStages {
  /** The setting, by name or values. */
  readonly setting: string;
  /** Means by what was examined, in the order of the exams: `untrained`, each stage, `with capacitor`. */
  readonly exams: Readonly<Record<string, ExamMeans>>;
}

/** The exams of a sweep's complete settings; settings whose runs sat none are left out. */
export async function sweepStages(
  folder: string,
  { settings, keys }: Pick<FrontReport, "settings" | "keys">,
): Promise<SettingStages[]> {
  const found = await Promise.all(settings.map(async (setting) => {
    const scores = await Promise.all(
      setting.keys.map((key) => readScores(join(pointFolder(folder, key), "run"))),
    );
    return { setting: settingLabel(setting, keys), exams: examMeans(scores) };
  }));
  return found.filter(({ exams }) => Object.keys(exams).length > 0);
}

/** Means of the exams that all runs sat. */
function examMeans(runs: readonly Scores[]): Record<string, ExamMeans> {
  const common = Object.keys(runs[0]).filter((exam) => runs.every((scores) => exam in scores));
  return Object.fromEntries(common.map((exam) => {
    const rows = HEADLINE_ROWS.flatMap(([key]) => {
      const rates = runs.map((scores) => scores[exam][key]);
      if (rates.some(({ rate }) => rate === null)) return [];
      const measures = rates.map(({ rate, low, high }) => ({ value: rate!, low, high }));
      return [[key, seedMean(measures)] as const];
    });
    return [exam, Object.fromEntries(rows)];
  }));
}

/**
 * How far `other` lies above `reference` in each rate of their last exams, seed by seed: the mean difference and Student's interval of
 * it. With one seed there is no interval: its ends are infinite.
 */
export function lastDifferences(reference: SettingStages, other: SettingStages): ExamMeans {
  const [before, after] = [reference, other].map(({ exams }) => Object.values(exams).at(-1)!);
  return Object.fromEntries(HEADLINE_ROWS.flatMap(([key]) => {
    const [a, b] = [before[key], after[key]];
    if (!a || !b) return [];
    return [[key, meanOverSeeds(a.seeds.map((value, seed) => b.seeds[seed] - value))]];
  }));
}

/** All of it as lines for people; none where no run sat an exam. */
export function stagesTable(stages: readonly SettingStages[]): string[] {
  if (stages.length === 0) return [];
  const seeds = Object.values(Object.values(stages[0].exams)[0])[0]!.seeds.length;
  const over = `mean over ${seeds} seed${seeds === 1 ? "" : "s"} [95% interval of it]`;
  const lines = stages.flatMap(({ setting, exams }) =>
    table(`${setting}: test dialogues, %, ${over}`, Object.entries(exams), rateCell)
  );
  if (stages.length < 2) return lines;
  const last = stages.map(({ setting, exams }) => [setting, Object.values(exams).at(-1)!] as const);
  const [reference, ...others] = stages;
  const differences = others.map((other) =>
    [other.setting, lastDifferences(reference, other)] as const
  );
  return [
    ...lines,
    ...table(`the last exam of each setting, %, ${over}`, last, rateCell),
    ...table(
      `differences from ${reference.setting}, points, seed by seed; * is beyond chance`,
      differences,
      differenceCell,
    ),
  ];
}

const points = (share: number): string => (100 * share).toFixed(1);

function rateCell({ mean, low, high }: SeedMean): string {
  return `${points(mean)} [${points(low)}, ${points(high)}]`;
}

function differenceCell({ mean, low, high }: SeedMean): string {
  const sign = mean > 0 ? "+" : "";
  if (!Number.isFinite(low)) return `${sign}${points(mean)}`;
  return `${sign}${points(mean)} [${points(low)}, ${points(high)}]${
    low > 0 || high < 0 ? "*" : " "
  }`;
}

function table(
  title: string,
  columns: readonly (readonly [name: string, means: ExamMeans])[],
  cell: (mean: SeedMean) => string,
): string[] {
  const cells = HEADLINE_ROWS.map(([key, label]) => ({
    label,
    texts: columns.map(([, means]) => means[key] ? cell(means[key]) : "-"),
  }));
  const widths = columns.map(([name], i) =>
    2 + Math.max(name.length, ...cells.map(({ texts }) => texts[i].length))
  );
  const line = (label: string, texts: readonly string[]) =>
    label.padEnd(41) + texts.map((text, i) => text.padStart(widths[i])).join("");
  return [
    "",
    title,
    line("", columns.map(([name]) => name)),
    ...cells.map(({ label, texts }) => line(label, texts)),
  ];
}
