/**
 * The maturity vector at every evaluation beside its thresholds, and what the gate decided.
 */
import { type GateEntry, isGate, type ReferenceEntry } from "../../stages/programme.ts";
import { type ChartSpec, VEGA_LITE_5 } from "../chart.ts";
import { ACTION_MARKS } from "../palette.ts";
import {
  colourBy,
  intervalRule,
  NAMES_IN_LINES,
  PERCENT,
  percentRow,
  rateText,
  shapeBy,
} from "./parts.ts";

/** An entry of the audit file in which a policy was measured. */
export type Evaluation = GateEntry | ReferenceEntry;

/** What a gate did, in words; `measured` before the first gate. */
export function actionOf(entry: Evaluation): string {
  return isGate(entry) ? entry.action.replace("_", " ") : "measured";
}

/** Where an evaluation stands, e.g. `imprint 196`. */
export function placeOf({ stage, step }: Pick<Evaluation, "stage" | "step">): string {
  return `${stage} ${step}`;
}

/**
 * One panel a metric, one column an evaluation: the rate with its interval, coloured by what the gate then did, and the threshold
 * of the stage as a dash (INFANT Eq. 42 and 43).
 */
export function maturityChart(evaluations: readonly Evaluation[]): ChartSpec {
  const names = [...new Set(evaluations.flatMap(({ metrics }) => Object.keys(metrics)))];
  const places = evaluations.map(({ stage, step }, i) => `${stage}|${step}|(${i + 1})`);
  const used = Object.keys(ACTION_MARKS)
    .filter((action) => evaluations.some((one) => actionOf(one) === action));
  const marks = used.map((action) => ACTION_MARKS[action]);
  const width = Math.min(700, Math.max(440, 62 * evaluations.length));
  const panels = names.map((name, i) => {
    const values = evaluations.flatMap((one, at) => {
      const row = percentRow(one.metrics[name]);
      const threshold = isGate(one) ? one.thresholds[name] : undefined;
      if (!row) return [];
      return [{
        place: places[at],
        action: actionOf(one),
        ...row,
        ...(threshold !== undefined && { threshold: 100 * threshold }),
      }];
    });
    return {
      title: { text: name.replaceAll("_", " "), fontSize: 12 },
      width,
      height: 70,
      data: { values },
      encoding: {
        x: {
          field: "place",
          type: "ordinal",
          sort: places,
          title: null,
          axis: i === names.length - 1
            ? NAMES_IN_LINES
            : { labels: false, ticks: false, grid: false },
        },
      },
      layer: [
        {
          transform: [{ filter: "isValid(datum.threshold)" }],
          mark: { type: "tick", thickness: 2.5, size: 30, color: "#1f2328" },
          encoding: { y: { field: "threshold", type: "quantitative" } },
        },
        {
          ...intervalRule("y", {
            ...PERCENT,
            axis: { tickCount: 3, labelExpr: "datum.value + '%'" },
          }),
        },
        {
          mark: { type: "point", filled: true, opacity: 1, size: 85 },
          encoding: {
            y: { field: "rate", type: "quantitative" },
            color: colourBy("action", used, marks.map(({ colour }) => colour)),
            shape: shapeBy("action", used, marks.map(({ shape }) => shape)),
          },
        },
      ],
    };
  });
  return {
    $schema: VEGA_LITE_5,
    description: evaluations.map((one) =>
      `${placeOf(one)}, ${actionOf(one)}: ${
        Object.entries(one.metrics).map(([name, rate]) => `${name} ${rateText(rate)}`).join(", ")
      }`
    ).join(". "),
    vconcat: panels,
    spacing: 10,
  };
}
