/**
 * The path of a game's two players in the plane, as when descent-ascent circles round an equilibrium.
 */
import { type ChartSpec, VEGA_LITE_5 } from "../chart.ts";
import { PALETTE } from "../palette.ts";
import { colourBy } from "./parts.ts";

/** Where two players with one number each have been. */
export interface Trajectory {
  /** How they play. */
  readonly name: string;
  /** Their strategies, from the start on. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/**
 * Paths from a common start, which a diamond marks; a disc shows where each ends, a cross the equilibrium.
 * @param paths At least one, each with at least one point.
 */
export function trajectoryChart(
  paths: readonly Trajectory[],
  equilibrium: { readonly x: number; readonly y: number } = { x: 0, y: 0 },
): ChartSpec {
  const names = paths.map(({ name }) => name);
  // The first colour is for what others are compared with; here nothing is.
  const colours = names.map((_, i) => PALETTE[1 + i % (PALETTE.length - 1)]);
  const color = colourBy("name", names, colours);
  const values = paths.flatMap(({ name, points }) =>
    points.map((point, step) => ({ name, step, ...point }))
  );
  const ends = paths.map(({ name, points }) => ({ name, ...points[points.length - 1] }));
  const marked = [{ ...paths[0].points[0], what: "diamond" }, { ...equilibrium, what: "cross" }];
  const axis = { type: "quantitative", scale: { zero: false, padding: 12 } };
  const text = ({ x, y }: { readonly x: number; readonly y: number }) =>
    `(${x.toFixed(2)}, ${y.toFixed(2)})`;
  return {
    $schema: VEGA_LITE_5,
    description: `Paths from ${text(marked[0])} beside the equilibrium ${text(equilibrium)}: ${
      ends.map(({ name, ...end }) => `${name} ends at ${text(end)}`).join("; ")
    }.`,
    width: 340,
    height: 340,
    encoding: {
      x: { field: "x", title: "x, who minimises", ...axis },
      y: { field: "y", title: "y, who maximises", ...axis },
    },
    layer: [
      {
        data: { values },
        mark: { type: "line", strokeWidth: 1.2, opacity: 0.8 },
        encoding: { color, order: { field: "step" } },
      },
      {
        data: { values: ends },
        mark: { type: "point", filled: true, opacity: 1, size: 90 },
        encoding: { color },
      },
      {
        data: { values: marked },
        mark: { type: "point", filled: true, opacity: 1, size: 110, color: PALETTE[0] },
        encoding: { shape: { field: "what", type: "nominal", scale: null, legend: null } },
      },
    ],
  };
}
