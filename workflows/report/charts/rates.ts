/**
 * Rates of several policies side by side, each with its exact interval: the exam, violations by family, and ablations.
 */
import type { Headline } from "../../evaluate/nursery_exam.ts";
import type { Scores } from "../../evaluate/scores.ts";
import { type ChartSpec, VEGA_LITE_5 } from "../chart.ts";
import { PALETTE, SHAPES } from "../palette.ts";
import {
  colourBy,
  type Estimated,
  intervalRule,
  namesAxis,
  PERCENT,
  percentRow,
  rateText,
  shapeBy,
} from "./parts.ts";

/** Rates of one thing that was asked, by the name of the policy that was asked. */
export interface RateRow {
  /** What was asked. */
  readonly name: string;
  /** Policies' rates; absent where one was not asked. */
  readonly rates: Readonly<Record<string, Estimated | undefined>>;
}

/** Rows under one title. */
export interface RateGroup {
  /** Of the panel. */
  readonly title: string;
  /** Its rows, from the top. */
  readonly rows: readonly RateRow[];
}

/** How {@linkcode ratesChart} is drawn. */
export interface RatesOptions {
  /** Width of the panels in pixels. */
  readonly width?: number;
  /** Height of all panels together; default: by the number of marks. */
  readonly height?: number;
  /** Title of the axis. */
  readonly axis?: string;
  /** All policies that have a colour, in order, where others are shown elsewhere; default: those that are shown. */
  readonly series?: readonly string[];
  /** In a sentence, for readers who see no picture. */
  readonly description?: string;
}

/**
 * One panel a group, one row a question, one mark a policy: a point with its interval.
 * @param policies In the order of their colours.
 */
export function ratesChart(
  groups: readonly RateGroup[],
  policies: readonly string[],
  options: RatesOptions = {},
): ChartSpec {
  const { width = 420, axis = "% of dialogues, with exact 95% interval" } = options;
  const series = options.series ?? policies;
  const of = <T>(values: readonly T[]) =>
    policies.map((name) => values[Math.max(0, series.indexOf(name)) % values.length]);
  const marks = Math.max(22, 9 + 8 * policies.length);
  const panels = groups.map(({ title, rows }, i) => ({
    title,
    width,
    height: options.height ? options.height / groups.length : marks * rows.length,
    data: { values: rows.flatMap((row) => valuesOf(row, policies)) },
    encoding: {
      y: namesAxis("measure", rows.map(({ name }) => name)),
      yOffset: { field: "policy", sort: policies },
      color: colourBy("policy", policies, of(PALETTE)),
    },
    layer: [
      intervalRule("x", PERCENT, i === groups.length - 1 ? axis : null),
      {
        mark: { type: "point", filled: true, opacity: 1, size: 55 },
        encoding: {
          x: { field: "rate", type: "quantitative" },
          shape: shapeBy("policy", policies, of(SHAPES)),
        },
      },
    ],
  }));
  const description = options.description ??
    groups.map(({ title, rows }) =>
      `${title}: ${
        rows.map(({ name, rates }) =>
          `${name} ${policies.map((one) => `${one} ${rateText(rates[one])}`).join(", ")}`
        ).join("; ")
      }`
    ).join(". ");
  return { $schema: VEGA_LITE_5, description, vconcat: panels, spacing: 24 };
}

function valuesOf({ name, rates }: RateRow, policies: readonly string[]): object[] {
  return policies.flatMap((policy) => {
    const row = percentRow(rates[policy]);
    if (!row) return [];
    const { k, n } = rates[policy] as { k?: number; n?: number };
    return [{ measure: name, policy, ...row, k, n }];
  });
}

/** What the panels of the exam show, in order. */
export const EXAM: readonly (readonly [
  title: string,
  rows: readonly (readonly [key: keyof Headline, label: string])[],
])[] = [
  ["more is better", [
    ["facts", "facts"],
    ["instructions", "instructions"],
    ["harmless", "harmless recipes"],
    ["refusals", "refusals of harm"],
  ]],
  ["less is better", [
    ["overRefusal", "over-refusal"],
    ["overRefusalWrapped", "over-refusal, wrapped"],
    ["violation", "violations, plain"],
    ["violationSeen", "under seen attacks"],
    ["violationUnseen", "under unseen attacks"],
    ["neither", "neither recipe nor refusal"],
  ]],
];

/** Rates of the exam with their exact 95% intervals, one row a question and one mark a policy. */
export function examChart(scores: Scores, options: RatesOptions = { width: 330 }): ChartSpec {
  const names = Object.keys(scores);
  const groups = EXAM.map(([title, rows]) => ({
    title: `Test dialogues, ${title}`,
    rows: rows.map(([key, name]) => ({
      name,
      rates: Object.fromEntries(names.map((policy) => [policy, scores[policy][key]])),
    })).filter(({ rates }) => Object.values(rates).some((rate) => percentRow(rate) !== null)),
  })).filter(({ rows }) => rows.length > 0);
  return ratesChart(groups, names, options);
}

/** Violations, or another rate, by attack family. */
export interface FamilyRates {
  /** Name of the family, as it is shown. */
  readonly family: string;
  /** Whether safety training shows it. */
  readonly seen: boolean;
  /** By policy. */
  readonly rates: RateRow["rates"];
}

/** Violation rates by attack family before and after, families of training and unseen ones apart. */
export function familiesChart(
  families: readonly FamilyRates[],
  policies: readonly string[],
  options: Pick<RatesOptions, "series" | "width"> = {},
): ChartSpec {
  const side = (seen: boolean, title: string) => ({
    title,
    rows: families.filter((one) => one.seen === seen)
      .map(({ family, rates }) => ({ name: family, rates })),
  });
  const groups = [
    side(true, "Attack families that safety training shows"),
    side(false, "Attack families that it never shows"),
  ].filter(({ rows }) => rows.length > 0);
  return ratesChart(groups, policies, {
    ...options,
    axis: "% of harmful requests answered by a usable recipe, with exact 95% interval",
    description: `Violation rates by attack family: ${
      families.map(({ family, rates }) =>
        `${family} ${policies.map((one) => `${one} ${rateText(rates[one])}`).join(", ")}`
      ).join("; ")
    }.`,
  });
}

/** A variant of a programme from which a part was taken. */
export interface Ablation {
  /** What was taken away, e.g. `no plasticity`; the first row is the whole programme. */
  readonly variant: string;
  /** What was measured, with intervals over seeds or dialogues. */
  readonly measures: Readonly<Record<string, Estimated | undefined>>;
}

const HALVES = { values: [0, 50, 100], labelExpr: "datum.value + '%'" } as const;

/** One panel a measure, one row a variant; a line marks the whole programme. */
export function ablationChart(ablations: readonly Ablation[]): ChartSpec {
  const variants = ablations.map(({ variant }) => variant);
  const measures = [...new Set(ablations.flatMap(({ measures }) => Object.keys(measures)))];
  const [whole] = ablations;
  const colour = { ...colourBy("whole", ["the whole programme", "without a part"]), legend: null };
  const panels = measures.map((measure, i) => {
    const values = ablations.flatMap(({ variant, measures }, row) => {
      const rate = percentRow(measures[measure]);
      const which = row === 0 ? "the whole programme" : "without a part";
      return rate ? [{ variant, whole: which, ...rate }] : [];
    });
    const reference = percentRow(whole?.measures[measure]);
    const axis = namesAxis("variant", variants) as { axis: object };
    return {
      title: { text: measure, fontSize: 12 },
      width: 170,
      height: 24 * variants.length,
      data: { values },
      encoding: {
        y: i % 3 === 0 ? axis : { ...axis, axis: null },
        color: colour,
      },
      layer: [
        ...(reference
          ? [{
            data: { values: [{ at: reference.rate }] },
            mark: { type: "rule", strokeDash: [3, 3], opacity: 0.8, color: "#767676" },
            encoding: { x: { field: "at", type: "quantitative" }, y: null, color: null },
          }]
          : []),
        intervalRule("x", { ...PERCENT, axis: HALVES }, null),
        {
          mark: { type: "point", filled: true, opacity: 1, size: 60 },
          encoding: {
            x: { field: "rate", type: "quantitative" },
            shape: { ...shapeBy("whole", ["the whole programme", "without a part"]), legend: null },
          },
        },
      ],
    };
  });
  return {
    $schema: VEGA_LITE_5,
    description: ablations.map(({ variant, measures }) =>
      `${variant}: ${
        Object.entries(measures).map(([name, rate]) => `${name} ${rateText(rate)}`).join(", ")
      }`
    ).join(". "),
    columns: 3,
    spacing: 18,
    concat: panels,
  };
}
