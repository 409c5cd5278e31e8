/**
 * How fast a game is solved: the Nash gap against the number of steps, on logarithmic axes, with the fitted slope.
 */
import { fitPowerLaw, type PowerLaw } from "../../theory/games/power_law.ts";
import { type ChartSpec, VEGA_LITE_5 } from "../chart.ts";
import { colourBy, shapeBy } from "./parts.ts";

/** The gaps of one way of playing. */
export interface GapSeries {
  /** How it plays, e.g. `averaged iterates`. */
  readonly name: string;
  /** The gap after T steps, both above 0; at least three. */
  readonly points: readonly { readonly steps: number; readonly gap: number }[];
}

/** The fitted law of a series. @throws {InputError} on fewer than three points, or values that are not above 0. */
export function gapLaw({ points }: GapSeries): PowerLaw {
  return fitPowerLaw(points.map(({ steps }) => steps), points.map(({ gap }) => gap));
}

/** Gaps as points, fitted power laws as lines; dotted, for comparison, the slope -1/2 of INFANT Theorem 4.7. */
export function nashGapChart(series: readonly GapSeries[]): ChartSpec {
  const laws = series.map((one) => ({ ...one, law: gapLaw(one) }));
  const label = ({ name, law: { slope, slopeInterval: { low, high } } }: (typeof laws)[number]) =>
    `${name}: slope ${slope.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;
  const names = laws.map(label);
  const points = laws.flatMap((one) =>
    one.points.map(({ steps, gap }) => ({ name: label(one), steps, gap }))
  );
  const ends = (one: (typeof laws)[number]) => {
    const steps = one.points.map((point) => point.steps);
    return [Math.min(...steps), Math.max(...steps)];
  };
  const fits = laws.flatMap((one) =>
    ends(one).map((steps) => ({
      name: label(one),
      steps,
      gap: Math.exp(one.law.intercept) * steps ** one.law.slope,
    }))
  );
  const [least, most] = [
    Math.min(...points.map(({ steps }) => steps)),
    Math.max(...points.map(({ steps }) => steps)),
  ];
  const from = Math.max(...points.filter(({ steps }) => steps === least).map(({ gap }) => gap));
  const reference = [least, most].map((steps) => ({ steps, gap: from * Math.sqrt(least / steps) }));
  const log = { type: "log", nice: false, padding: 8 };
  const axis = { format: "~g", tickCount: 6 };
  const x = {
    field: "steps",
    type: "quantitative",
    title: "steps T (log scale)",
    scale: log,
    axis,
  };
  const y = { field: "gap", type: "quantitative", title: "Nash gap (log scale)", scale: log, axis };
  return {
    $schema: VEGA_LITE_5,
    title: { text: "Nash gap against T", subtitle: "dotted: slope -1/2" },
    description: `Nash gap against T. ${names.join("; ")}.`,
    width: 460,
    height: 320,
    encoding: { x, y },
    layer: [
      {
        data: { values: reference },
        mark: { type: "line", strokeDash: [2, 4], color: "#767676", strokeWidth: 1.5 },
      },
      {
        data: { values: fits },
        mark: { type: "line", strokeWidth: 1.5 },
        encoding: { color: colourBy("name", names) },
      },
      {
        data: { values: points },
        mark: { type: "point", filled: true, opacity: 1, size: 50 },
        encoding: { color: colourBy("name", names), shape: shapeBy("name", names) },
      },
    ],
  };
}
