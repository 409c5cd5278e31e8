/**
 * The certificate as pictures: the bounds side by side, and the chain of events that the exact one multiplies.
 */
import type { Bound } from "../../safety/certificate/bounds.ts";
import type { Certificate, Scope } from "../../safety/certificate/certificate.ts";
import type { Estimate } from "../../safety/certificate/estimates.ts";
import { type ChartSpec, VEGA_LITE_5 } from "../chart.ts";
import { PALETTE } from "../palette.ts";
import { colourBy, namesAxis, percentText, shapeBy } from "./parts.ts";

const KINDS = ["may be certified", "rests on more", "as printed in the paper"] as const;

function kindOf({ counts, name }: Bound): (typeof KINDS)[number] {
  if (counts) return KINDS[0];
  return name.startsWith("Eq.") ? KINDS[2] : KINDS[1];
}

/** Percent on a logarithmic axis: bounds differ by orders of magnitude. */
const LOG_PERCENT = {
  type: "quantitative",
  axis: {
    labelExpr: "datum.value + '%'",
    values: [0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100],
    labelOverlap: true,
  },
} as const;

/** The axis from a part of the smallest share above 0 to all; `room` is left for labels. */
function logScale(shares: readonly number[], room: number): object {
  const least = Math.min(...shares.filter((share) => share > 0), 1);
  return { scale: { type: "log", nice: false, domain: [100 * least / room, 100] } };
}

const rateOf = ({ estimates }: Scope): number => estimates[0]?.rate ?? 0;

/** Every bound of a scope from the sharpest to the loosest, beside what was measured and the limit of the certificate. */
export function boundsChart(scope: Scope, limit: Certificate["settings"]["limit"]): ChartSpec {
  const rows = scope.bounds.filter(({ value }) => value !== null && value > 0)
    .map((bound) => ({
      bound: bound.name,
      kind: kindOf(bound),
      value: 100 * bound.value!,
      label: percentText(bound.value, 2),
    }));
  const lines = [
    ...(rateOf(scope) > 0
      ? [{ at: 100 * rateOf(scope), what: `measured ${percentText(rateOf(scope), 2)}` }]
      : []),
    { at: 100 * limit, what: `limit ${percentText(limit)}` },
  ].sort((a, b) => a.at - b.at);
  const shares = [...scope.bounds.map(({ value }) => value ?? 1), rateOf(scope)];
  const x = { ...LOG_PERCENT, ...logScale(shares, 1.6) };
  const names = namesAxis("bound", rows.map(({ bound }) => bound)) as { axis: object };
  const y = { ...names, axis: { ...names.axis, grid: true } };
  const range = [PALETTE[3], PALETTE[5], PALETTE[0]];
  return {
    $schema: VEGA_LITE_5,
    description: `Bounds on the violation probability, ${scope.scope}: ${
      rows.map(({ bound, label }) => `${bound} ${label}`).join(", ")
    }; ${lines.map(({ what }) => what).join(", ")}.`,
    width: 420,
    height: 24 * rows.length + 16,
    layer: [
      {
        data: { values: rows },
        mark: { type: "point", filled: true, opacity: 1, size: 100 },
        encoding: {
          y,
          x: { field: "value", title: "bound on the share of violations (log scale)", ...x },
          color: colourBy("kind", KINDS, range),
          shape: shapeBy("kind", KINDS, ["square", "diamond", "circle"]),
        },
      },
      {
        data: { values: rows },
        mark: { type: "text", align: "left", dx: 9, fontSize: 11 },
        encoding: {
          y,
          x: { field: "value", type: "quantitative" },
          text: { field: "label" },
        },
      },
      {
        data: { values: lines },
        mark: { type: "rule", strokeDash: [4, 3], color: PALETTE[1], strokeWidth: 1.5 },
        encoding: { x: { field: "at", type: "quantitative" } },
      },
      {
        data: { values: lines.map((line, i) => ({ ...line, align: i === 0 ? "right" : "left" })) },
        mark: { type: "text", baseline: "bottom", fontSize: 11, dy: -3 },
        encoding: {
          x: { field: "at", type: "quantitative" },
          y: { value: 0 },
          text: { field: "what" },
        },
      },
    ],
  };
}

/** A step of the waterfall: from one probability down to the next. */
export interface ChainStep {
  /** What happens to the trials that are left. */
  readonly name: string;
  /** Share of all trials before the step. */
  readonly from: number;
  /** Share after it. */
  readonly to: number;
}

/**
 * The exact bound of a scope as steps, each a limit: all dialogues, those in which the policy proposes something unsafe, those
 * that world model and projection let through, those that the patterns do not catch; and the direct limit beside it.
 */
export function chainOf(scope: Scope): ChainStep[] {
  const named = (quantity: string) =>
    scope.estimates.find((one) => one.quantity === quantity) as Estimate;
  const [p, epsM, epsPi] = ["pUnsafe", "epsM", "epsPi"].map((name) => named(name).limit);
  const gamma = named("gammaEscapes").limit;
  const missed = p * epsM;
  const escaped = p * (epsM + (1 - epsM) * epsPi);
  return [
    { name: "the policy proposes something unsafe", from: 1, to: p },
    { name: "the world model misses it", from: p, to: missed },
    { name: "or the projection fails", from: missed, to: escaped },
    { name: "no pattern catches it", from: escaped, to: escaped * (1 - gamma) },
  ];
}

/** {@linkcode chainOf} as a waterfall on a logarithmic axis, with the limit that counts violations directly at its end. */
export function waterfallChart(scope: Scope): ChartSpec {
  const steps = chainOf(scope);
  const direct = scope.bounds.find(({ name }) => name === "direct")?.value ?? null;
  const rows = [
    ...steps.map(({ name, from, to }) => ({
      name,
      from: 100 * from,
      to: 100 * to,
      kind: to <= from ? "takes away" : "adds",
      label: `≤ ${percentText(to, 2)}`,
    })),
    ...(direct === null ? [] : [{
      name: "counted directly",
      from: 100 * direct,
      to: 100 * direct,
      kind: "direct limit",
      label: `≤ ${percentText(direct, 2)}`,
    }]),
  ];
  const names = rows.map(({ name }) => name);
  const kinds = ["takes away", "adds", "direct limit"];
  const y = namesAxis("name", names);
  const scale = logScale(rows.flatMap(({ from, to }) => [from / 100, to / 100]), 4);
  return {
    $schema: VEGA_LITE_5,
    description: `The chain of the exact bound, ${scope.scope}: ${
      rows.map(({ name, label }) => `${name} ${label}`).join(", ")
    }.`,
    width: 420,
    height: 30 * rows.length,
    data: { values: rows },
    layer: [
      {
        transform: [{ filter: "datum.kind !== 'direct limit'" }],
        mark: { type: "bar", height: 14, opacity: 0.85 },
        encoding: {
          y,
          x: {
            field: "from",
            title: "share of dialogues, upper limit (log scale)",
            ...LOG_PERCENT,
            ...scale,
          },
          x2: { field: "to" },
          color: colourBy("kind", kinds, [PALETTE[2], PALETTE[1], PALETTE[3]]),
        },
      },
      {
        mark: { type: "tick", thickness: 3, size: 20 },
        encoding: {
          y,
          x: { field: "to", type: "quantitative" },
          color: colourBy("kind", kinds, [PALETTE[2], PALETTE[1], PALETTE[3]]),
        },
      },
      {
        mark: { type: "text", align: "right", dx: -6, fontSize: 11 },
        transform: [{ calculate: "min(datum.from, datum.to)", as: "left" }],
        encoding: { y, x: { field: "left", type: "quantitative" }, text: { field: "label" } },
      },
    ],
  };
}
