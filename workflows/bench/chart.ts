/**
 * The report as a chart: the rate of every contestant in every case, with the spread over the rounds; sweeps as power laws.
 *
 * A Vega-Lite specification with its data inside, so that it opens in any editor, and the same drawn as SVG.
 */
import { VEGA_LITE_5 } from "../report/chart.ts";
import type { BenchReport, Line } from "./bench.ts";
import type { Sweep } from "./scaling.ts";

/** One bar. */
interface Bar {
  readonly case: string;
  readonly who: string;
  readonly rate: number;
  readonly low: number;
  readonly high: number;
}

type Rate = "gflops" | "gbps" | "tokensPerSecond";

/** The specification. */
export function chartSpec(report: BenchReport): Record<string, unknown> {
  const { libraries, loadAverage, quotable } = report;
  return {
    $schema: VEGA_LITE_5,
    title: {
      text: `${libraries[0].adapter}, load average ${loadAverage.start.toFixed(1)} at the start`,
      subtitle: quotable ? "median of the rounds, smallest to largest" : "not quotable",
    },
    vconcat: [
      panel(bars(report, "gflops", "matmul"), "GFLOP/s"),
      panel(bars(report, "gflops", "kernel"), "GFLOP/s, attention"),
      panel(bars(report, "gbps", "kernel"), "GB/s, norm, cross-entropy, AdamW"),
      panel(bars(report, "tokensPerSecond", "step"), "tokens/s, training step"),
      panel(bars(report, "tokensPerSecond", "imprint"), "tokens/s, value imprinting step"),
      panel(bars(report, "tokensPerSecond", "fisher"), "tokens/s, Fisher diagonal"),
      panel(bars(report, "tokensPerSecond", "generate"), "tokens/s, generation"),
      panel(bars(report, "tokensPerSecond", "stories"), "tokens/s, stories"),
      panel(firstSteps(report), "seconds to the end of a fresh process's first step"),
    ].filter((one) => one !== null),
  };
}

function bars({ cases }: BenchReport, rate: Rate, prefix: string): Bar[] {
  return cases.filter(({ id }) => id.startsWith(prefix)).flatMap(({ title, lines }) =>
    lines.flatMap((line: Line) => {
      const median = line[rate];
      if (!line.time || median === undefined) return [];
      const at = (ms: number) => median * line.time!.median / ms;
      const { min, max } = line.time;
      return [{ case: title, who: line.name, rate: median, low: at(max), high: at(min) }];
    })
  );
}

function firstSteps({ cases }: BenchReport): Bar[] {
  return cases.flatMap(({ title, fresh }) =>
    fresh.flatMap(({ name, cold, warm }) =>
      [{ who: `${name} cold`, time: cold }, { who: `${name} cached`, time: warm }].flatMap((
        { who, time },
      ) =>
        time
          ? [{
            case: title,
            who,
            rate: time.median / 1000,
            low: time.min / 1000,
            high: time.max / 1000,
          }]
          : []
      )
    )
  );
}

/** Each sweep as points with their spread and the fitted line, on logarithmic axes. */
export function scalingSpec(sweeps: readonly Sweep[]): Record<string, unknown> {
  const scale = { type: "log", nice: false };
  const bases = { ms: 1, bytes: 2 ** 20 } as const;
  const one = ({ title, axis, unit, points, fit }: Sweep) => {
    const values = points.map(({ size, cost }) => ({
      size,
      cost: cost.median / bases[unit],
      low: cost.min / bases[unit],
      high: cost.max / bases[unit],
      fit: fit.factor * size ** fit.exponent / bases[unit],
    }));
    const x = { field: "size", type: "quantitative", scale, title: axis };
    const y = (field: string) => ({
      field,
      type: "quantitative",
      scale,
      title: unit === "ms" ? "ms" : "MiB",
    });
    return {
      title: `${title}: exponent ${fit.exponent.toFixed(2)}`,
      data: { values },
      width: 260,
      height: 160,
      encoding: { x },
      layer: [
        { mark: { type: "line", strokeDash: [4, 3] }, encoding: { y: y("fit") } },
        { mark: "rule", encoding: { y: y("low"), y2: { field: "high" } } },
        { mark: { type: "point", filled: true }, encoding: { y: y("cost") } },
      ],
    };
  };
  return { $schema: VEGA_LITE_5, columns: 2, concat: sweeps.map(one) };
}

function panel(values: readonly Bar[], title: string): Record<string, unknown> | null {
  if (values.length === 0) return null;
  const y = { field: "case", type: "nominal", sort: null, title: null, axis: { labelLimit: 400 } };
  const yOffset = { field: "who", sort: null };
  const x = { field: "rate", type: "quantitative", title };
  return {
    data: { values },
    width: 420,
    height: { step: 12 },
    encoding: { y, yOffset },
    layer: [
      {
        mark: "bar",
        encoding: { x, color: { field: "who", type: "nominal", sort: null, title: null } },
      },
      {
        mark: { type: "rule", size: 1.5 },
        encoding: { x: { field: "low", type: "quantitative" }, x2: { field: "high" } },
      },
    ],
  };
}
