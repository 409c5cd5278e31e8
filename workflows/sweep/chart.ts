/**
 * The frontier as a chart: settings with their intervals, the front, and what the seeds attain.
 */
import { type ChartSpec, VEGA_LITE_5 } from "../report/chart.ts";
import { PALETTE } from "../report/palette.ts";
import { type FrontReport, type Pair, settingLabel } from "./front.ts";

/** Settings by how they stand to the front; each has a colour and a shape of its own. */
const KINDS = ["beaten", "on the front", "on the front, missed by weighted sums"] as const;
const KIND_SHAPES = ["circle", "square", "diamond"] as const;

/** The chart of a sweep's validation results; settings on the front carry their values. */
export function frontChart(report: FrontReport): ChartSpec {
  const [first, second] = report.objectives;
  const values = report.settings.map((setting, i) => {
    const { onFront, supported, validation: [x, y] } = setting;
    return {
      setting: settingLabel(setting, report.keys),
      label: labelOf(report, i),
      kind: KINDS[onFront ? supported ? 1 : 2 : 0],
      x: x.mean,
      y: y.mean,
      x_low: x.low,
      x_high: x.high,
      y_low: y.low,
      y_high: y.high,
    };
  }).sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind)); // what is drawn last lies on top
  const seeds = report.settings.flatMap(({ validation: [x, y] }) =>
    x.seeds.map((value, s) => ({ x: value, y: y.seeds[s] }))
  );
  const domain = { zero: false, nice: false, padding: 12 };
  const axis = (field: string, title: string) => ({
    field,
    type: "quantitative",
    title,
    scale: domain,
  });
  const { length } = report.seeds;
  const over = length === 1 ? "one seed" : `mean over ${length} seeds`;
  const x = axis("x", `${first}, ${over}, 95% interval`);
  const y = axis("y", second);
  const kind = { field: "kind", type: "nominal", legend: LEGEND };
  return {
    $schema: VEGA_LITE_5,
    title: `${second} against ${first}`,
    description:
      `${values.length} settings of a sweep, ${report.front.length} of them on the front of ` +
      `${first} and ${second}`,
    width: 520,
    height: 400,
    layer: [
      // Attainment surfaces are stairs: a goal is attained below and to the left of them.
      ...(report.seeds.length > 1 ? stairs(report) : []),
      {
        data: { values: seeds },
        mark: { type: "point", filled: true, size: 14, opacity: 0.35, color: PALETTE[0] },
        encoding: { x, y },
      },
      {
        data: { values },
        mark: { type: "rule", opacity: 0.55, strokeWidth: 1.5 },
        encoding: {
          x: { ...x, field: "x_low" },
          x2: { field: "x_high" },
          y,
          color: { ...kind, scale: colours },
        },
      },
      {
        data: { values },
        mark: { type: "rule", opacity: 0.55, strokeWidth: 1.5 },
        encoding: {
          x,
          y: { ...y, field: "y_low" },
          y2: { field: "y_high" },
          color: { ...kind, scale: colours },
        },
      },
      {
        data: { values },
        mark: { type: "point", filled: true, opacity: 1, size: 70 },
        encoding: {
          x,
          y,
          color: { ...kind, scale: colours },
          shape: { ...kind, scale: { domain: KINDS, range: KIND_SHAPES } },
          tooltip: ["setting", "x", "x_low", "x_high", "y", "y_low", "y_high"]
            .map((field) => ({ field })),
        },
      },
      {
        data: { values },
        mark: { type: "text", align: "left", dx: 7, dy: -7, fontSize: 10, color: PALETTE[0] },
        encoding: { x, y, text: { field: "label" } },
      },
    ],
  };
}

/** Settings on the front are named, so is the choice under a minimum. */
function labelOf({ settings, keys, lambdaStar }: FrontReport, i: number): string {
  const { values, onFront } = settings[i];
  const chosen = lambdaStar !== null && values[lambdaStar.key] === lambdaStar.byMean.lambda;
  return `${onFront || chosen ? settingLabel(settings[i], keys) : ""}${chosen ? " = lambda*" : ""}`;
}

const LEGEND = {
  title: null,
  orient: "bottom",
  columns: 1,
  labelLimit: 480,
  symbolOpacity: 1,
} as const;
const colours = { domain: KINDS, range: PALETTE.slice(0, 3) } as const;

const SURFACES = [
  ["best", "attained by one seed", [2, 3]],
  ["median", "attained by half of the seeds", [1, 0]],
  ["all", "attained by all seeds", [6, 3]],
] as const;

function stairs({ attainment }: FrontReport): object[] {
  const level = { field: "level", type: "nominal" };
  const values = SURFACES.flatMap(([name, title]) =>
    corners(attainment[name]).map(([x, y], order) => ({ level: title, x, y, order }))
  );
  return [{
    data: { values },
    mark: { type: "line", strokeWidth: 1.2, opacity: 0.8, color: PALETTE[2] },
    encoding: {
      x: { field: "x", type: "quantitative" },
      y: { field: "y", type: "quantitative" },
      order: { field: "order" },
      strokeDash: {
        ...level,
        scale: {
          domain: SURFACES.map(([, title]) => title),
          range: SURFACES.map(([, , dash]) => dash),
        },
        legend: LEGEND,
      },
    },
  }];
}

/** Stairs through points of rising x and falling y: each reaches left to the one before it. */
function corners(points: readonly Pair<number>[]): Pair<number>[] {
  return points.flatMap(([x, y], i): Pair<number>[] =>
    i === 0 ? [[x, y]] : [[points[i - 1][0], y], [x, y]]
  );
}
