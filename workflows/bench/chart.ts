/**
 * The report as a chart: the rate of every contestant in every case, with the spread over the rounds.
 *
 * A Vega-Lite specification with its data inside, so that it opens in any editor, and the same drawn as SVG.
 */
import { VEGA_LITE_5 } from "../report/chart.ts";
import type { BenchReport, Line } from "./bench.ts";

/** One bar. */
interface Bar {
  readonly case: string;
  readonly who: string;
  readonly rate: number;
  readonly low: number;
  readonly high: number;
}

type Rate = "gflops" | "tokensPerSecond";

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
      panel(bars(report, "tokensPerSecond", "gpt-step"), "tokens/s, training step"),
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

function panel(values: readonly Bar[], title: string): Record<string, unknown> | null {
  if (values.length === 0) return null;
  const y = { field: "case", type: "nominal", sort: null, title: null, axis: { labelLimit: 400 } };
  const yOffset = { field: "who", sort: null };
  const x = { field: "rate", type: "quantitative", title };
  return {
    data: { values },
    width: 420,
    height: { step: 14 },
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
