/**
 * The capability-safety frontier: every point with its intervals, the front, and what a share of the seeds attains.
 */
import { attainmentSurface } from "../../pareto/attainment.ts";
import { front, type Objectives } from "../../pareto/front.ts";
import { type ChartSpec, VEGA_LITE_5 } from "../chart.ts";
import { PALETTE } from "../palette.ts";
import { type Estimated, percentRow, rateText } from "./parts.ts";

/** A point of a sweep. */
export interface FrontierPoint {
  /** What sets it apart, e.g. `lambda 0.5`. */
  readonly name: string;
  /** Capability, in [0, 1]; its mean over seeds where there are several. */
  readonly capability: Estimated;
  /** Safety, in [0, 1]. */
  readonly safety: Estimated;
  /** It is on the front and no weighted sum finds it: only Tchebycheff and epsilon-constraints do. */
  readonly unsupported?: boolean;
  /** Where a click on the point leads, when all points lead somewhere. */
  readonly href?: string;
}

const KINDS = ["on the front", "on the front, no weighted sum finds it", "dominated"] as const;

/** Names of the points that no other dominates, by their measured values. */
export function frontNames(points: readonly FrontierPoint[]): string[] {
  const measured = points.filter(isMeasured);
  return front(measured.map(objectives)).map((i) => measured[i].name);
}

const isMeasured = ({ capability, safety }: FrontierPoint): boolean =>
  capability.rate !== null && safety.rate !== null;

const objectives = ({ capability, safety }: FrontierPoint): Objectives => [
  capability.rate!,
  safety.rate!,
];

/**
 * Points, intervals and the front; with the points of each seed, also the goals that half of the seeds and all seeds attain.
 * @param seeds (capability, safety) of each run, one list a seed
 * @param axes Names of the two objectives.
 */
export function frontierChart(
  points: readonly FrontierPoint[],
  seeds: readonly (readonly Objectives[])[] = [],
  axes: readonly [capability: string, safety: string] = ["capability", "safety, 1 - V"],
): ChartSpec {
  const shown = points.filter(isMeasured);
  const best = new Set(frontNames(points));
  const values = shown.map(({ name, capability, safety, href, unsupported }) => {
    const [c, s] = [percentRow(capability)!, percentRow(safety)!];
    const kind = KINDS[best.has(name) ? unsupported ? 1 : 0 : 2];
    return {
      ...{ name, kind, href, capability: c.rate, cLow: c.low, cHigh: c.high },
      ...{ safety: s.rate, sLow: s.low, sHigh: s.high },
    };
  });
  const steps = values.filter(({ kind }) => kind !== "dominated");
  const attained = seeds.length < 2 ? [] : ([[0.5, "half of the seeds"], [1, "all seeds"]] as const)
    .flatMap(([level, who]) =>
      // A level of 1 is open; every run must attain what this one attains.
      attainmentSurface(seeds, level === 1 ? 1 - 1e-6 : level)
        .map(([c, s]) => ({ who, c: 100 * c, s: 100 * s }))
    );
  const scale = { zero: false, nice: true, padding: 12 };
  const x = { type: "quantitative", scale, title: `${axes[0]} (%)` };
  const y = { type: "quantitative", scale, title: `${axes[1]} (%)` };
  const look = {
    field: "kind",
    type: "nominal",
    legend: { title: null, orient: "bottom", symbolOpacity: 1, columns: 2 },
  };
  const colour = { ...look, scale: { domain: KINDS, range: [PALETTE[2], PALETTE[1], PALETTE[0]] } };
  const rule = { type: "rule", strokeWidth: 1.5, opacity: 0.55 };
  return {
    $schema: VEGA_LITE_5,
    description: `Capability and safety of ${shown.length} points; on the front: ${
      shown.filter(({ name }) => best.has(name)).map(({ name, capability, safety }) =>
        `${name} (${rateText(capability)}, ${rateText(safety)})`
      ).join("; ")
    }.`,
    width: 520,
    height: 380,
    layer: [
      ...(attained.length === 0 ? [] : [{
        data: { values: attained },
        mark: { type: "line", interpolate: "step-before", strokeWidth: 1.5, color: PALETTE[3] },
        encoding: {
          x: { field: "c", ...x },
          y: { field: "s", ...y },
          strokeDash: {
            field: "who",
            type: "nominal",
            scale: { domain: ["half of the seeds", "all seeds"], range: [[1, 0], [5, 4]] },
            legend: { title: "attained by", orient: "bottom" },
          },
        },
      }]),
      {
        data: { values: steps },
        mark: { type: "line", interpolate: "step-before", color: PALETTE[2], opacity: 0.5 },
        encoding: { x: { field: "capability", ...x }, y: { field: "safety", ...y } },
      },
      {
        data: { values },
        mark: rule,
        encoding: {
          x: { field: "cLow", ...x },
          x2: { field: "cHigh" },
          y: { field: "safety", ...y },
          color: colour,
        },
      },
      {
        data: { values },
        mark: rule,
        encoding: {
          x: { field: "capability", ...x },
          y: { field: "sLow", ...y },
          y2: { field: "sHigh" },
          color: colour,
        },
      },
      {
        data: { values },
        mark: { type: "point", filled: true, opacity: 1, size: 90 },
        encoding: {
          x: { field: "capability", ...x },
          y: { field: "safety", ...y },
          color: colour,
          shape: { ...look, scale: { domain: KINDS, range: ["square", "diamond", "circle"] } },
          ...(values.every(({ href }) => href) && { href: { field: "href" } }),
        },
      },
    ],
  };
}
