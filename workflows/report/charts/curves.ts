/**
 * Curves of one number against another: a trade-off as a weight is turned, an error as a sample grows.
 */
import { type ChartSpec, VEGA_LITE_5 } from "../chart.ts";
import { colourBy, shapeBy } from "./parts.ts";

/** A curve. */
export interface Curve {
  /** What it is of. */
  readonly name: string;
  /** Its points, in the order in which they are joined; an interval of y is drawn where it is given. */
  readonly points: readonly {
    readonly x: number;
    readonly y: number;
    readonly low?: number;
    readonly high?: number;
  }[];
}

/** How {@linkcode curvesChart} is drawn. */
export interface CurvesOptions {
  /** Title of the horizontal axis. */
  readonly x: string;
  /** Title of the vertical axis. */
  readonly y: string;
  /** Axes with a logarithmic scale; their values must be above 0. */
  readonly log?: readonly ("x" | "y")[];
}

/** Curves with a mark at every point; the first is drawn in grey, as what the others are compared with. */
export function curvesChart(
  curves: readonly Curve[],
  { x, y, log = [] }: CurvesOptions,
): ChartSpec {
  const names = curves.map(({ name }) => name);
  const values = curves.flatMap(({ name, points }) =>
    points.map((point, order) => ({ name, order, ...point }))
  );
  const small = (field: "x" | "y") =>
    values.some((value) => value[field] !== 0 && Math.abs(value[field]) < 1e-3);
  const axis = (field: "x" | "y", title: string) => ({
    field,
    type: "quantitative",
    title: log.includes(field) ? `${title} (log scale)` : title,
    scale: log.includes(field)
      ? { type: "log", nice: false, padding: 12 }
      : { zero: false, nice: false, padding: 12 },
    axis: { format: small(field) ? ".0e" : "~g", tickCount: 6 },
  });
  const color = colourBy("name", names);
  const text = (value: number) => +value.toPrecision(3);
  const intervals = values.filter(({ low, high }) => low !== undefined && high !== undefined);
  return {
    $schema: VEGA_LITE_5,
    description: `${y} against ${x}. ${
      curves.map(({ name, points }) =>
        `${name}: ${points.map(({ x, y }) => `${text(y)} at ${text(x)}`).join(", ")}`
      ).join("; ")
    }.`,
    width: 440,
    height: 300,
    data: { values },
    encoding: { x: axis("x", x), y: axis("y", y) },
    layer: [
      {
        mark: { type: "line", strokeWidth: 1.5, opacity: 0.8 },
        encoding: { color, order: { field: "order" } },
      },
      ...(intervals.length === 0 ? [] : [{
        data: { values: intervals },
        mark: { type: "rule", strokeWidth: 1.5, opacity: 0.7 },
        encoding: { y: { ...axis("y", y), field: "low" }, y2: { field: "high" }, color },
      }]),
      {
        mark: { type: "point", filled: true, opacity: 1, size: 70 },
        encoding: { color, shape: shapeBy("name", names) },
      },
    ],
  };
}
