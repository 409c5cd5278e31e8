/**
 * How a training step's time grows with batch, length, width and layers, and its memory with length: one size moves, the others
 * stay at the small policy's, and a power law is fitted to the medians of interleaved rounds.
 */
import type { Task } from "./contest.ts";
import type { Contestant } from "./contestant.ts";
import { type PowerFit, powerFit } from "./fit.ts";
import { benchPolicy, SMALL, stepFlops, TINY } from "./policies.ts";
import { race, type RaceSettings, type Spread, spread } from "./race.ts";
import { problemWith } from "./truth.ts";

/** Which size moves. */
export type Axis = "batch" | "length" | "width" | "layers";

/** One size and what it costs. */
export interface ScalingPoint {
  /** The size. */
  readonly size: number;
  /** Milliseconds of a step over the rounds; for memory the bytes, three times the same. */
  readonly cost: Spread;
}

/** One sweep. */
export interface Sweep {
  /** E.g. `step time against length`. */
  readonly title: string;
  /** Which size moves. */
  readonly axis: Axis;
  /** What is measured. */
  readonly unit: "ms" | "bytes";
  /** From small to large. */
  readonly points: readonly ScalingPoint[];
  /** The law of the medians. */
  readonly fit: PowerFit;
  /** The exponent that counting operations gives for these sizes; null for memory. */
  readonly counted: number | null;
}

/** Sizes of each axis. A width is a multiple of 32: heads stay 32 wide. */
interface Plan {
  readonly base: {
    readonly rows: number;
    readonly length: number;
    readonly width: number;
    readonly layers: number;
  };
  readonly vocabSize: number;
  readonly sizes: Readonly<Record<Axis, readonly number[]>>;
  readonly memory: readonly number[];
}

const FULL: Plan = {
  base: { rows: 8, length: 128, width: 128, layers: 4 },
  vocabSize: SMALL.config.vocabSize,
  sizes: {
    batch: [2, 4, 8, 16, 32],
    length: [32, 64, 128, 256, 512],
    width: [64, 128, 256, 512],
    layers: [1, 2, 4, 8, 16],
  },
  memory: [64, 128, 256, 512, 1024],
};
const QUICK: Plan = {
  base: { rows: 2, length: 32, width: 64, layers: 2 },
  vocabSize: TINY.config.vocabSize,
  sizes: { batch: [1, 2, 4], length: [16, 32, 64], width: [32, 64, 96], layers: [1, 2, 3] },
  memory: [32, 64, 128],
};
const AXES: readonly Axis[] = ["batch", "length", "width", "layers"];

type GptShape = Omit<Extract<Task, { kind: "memory" }>, "kind">;

/** The step at one size of an axis. */
function shapeAt({ base, vocabSize }: Plan, axis: Axis, size: number): GptShape {
  const moved = { [axis === "batch" ? "rows" : axis]: size };
  const { rows, length, width, layers }: Plan["base"] = { ...base, ...moved };
  const config = benchPolicy({ layers, width, heads: width / 32, context: length, vocabSize });
  return { config, rows, length };
}

const flopsOf = ({ config, rows, length }: GptShape) => stepFlops(config, rows * length, length);

/** Measures all sweeps on one contestant, which must be the toolkit for memory. `waitMs` is taken off each measurement. */
export async function scaling(
  own: Contestant,
  settings: RaceSettings,
  quick: boolean,
  note: (line: string) => void,
): Promise<Sweep[]> {
  const plan = quick ? QUICK : FULL;
  const waitMs = await waitOf(own, settings);
  const sweeps: Sweep[] = [];
  for (const axis of AXES) {
    note(`step time against ${axis}`);
    sweeps.push(await timeSweep(own, plan, axis, settings, waitMs));
  }
  for (const recompute of [false, true]) {
    note(`memory against length${recompute ? ", recomputing" : ""}`);
    sweeps.push(await memorySweep(own, plan, recompute));
  }
  return sweeps;
}

async function waitOf(own: Contestant, { rounds }: RaceSettings): Promise<number> {
  const entry = { name: "wait", contestant: own, task: { kind: "wait" } } as const;
  const [{ ms }] = await race([entry], { rounds, targetMs: 0 }, () => null, () => 0);
  return spread(ms).median;
}

async function timeSweep(
  own: Contestant,
  plan: Plan,
  axis: Axis,
  settings: RaceSettings,
  waitMs: number,
): Promise<Sweep> {
  const shapes = plan.sizes[axis].map((size) => ({ size, shape: shapeAt(plan, axis, size) }));
  const entries = shapes.map(({ size, shape }) => ({
    name: `${axis} ${size}`,
    contestant: own,
    task: { kind: "gpt step", ...shape } as const,
  }));
  const judge = ({ task }: { task: Task }, answers: readonly number[]) =>
    problemWith(task, answers);
  const results = await race(entries, settings, judge, () => waitMs);
  const wrong = results.find(({ problem }) => problem !== null);
  if (wrong) throw new Error(`scaling, ${wrong.name}: ${wrong.problem}`);
  const sizes = plan.sizes[axis];
  const counted = powerFit(sizes, shapes.map(({ shape }) => flopsOf(shape))).exponent;
  const costs = results.map(({ ms }) => spread(ms));
  return sweep(`step time against ${axis}`, axis, "ms", sizes, costs, counted);
}

async function memorySweep(own: Contestant, plan: Plan, recompute: boolean): Promise<Sweep> {
  const costs: Spread[] = [];
  for (const size of plan.memory) {
    const task = { kind: "memory", ...shapeAt(plan, "length", size), recompute } as const;
    const open = await own.open(task);
    const [bytes] = open.answers;
    costs.push({ min: bytes, median: bytes, max: bytes });
    await open.close();
  }
  const title = `activation memory against length, ${recompute ? "recomputed" : "kept"}`;
  return sweep(title, "length", "bytes", plan.memory, costs, null);
}

function sweep(
  title: string,
  axis: Axis,
  unit: Sweep["unit"],
  sizes: readonly number[],
  costs: readonly Spread[],
  counted: number | null,
): Sweep {
  const fit = powerFit(sizes, costs.map(({ median }) => median));
  return {
    title,
    axis,
    unit,
    points: sizes.map((size, i) => ({ size, cost: costs[i] })),
    fit,
    counted,
  };
}

/** The sweeps as a table. */
export function scalingTable(sweeps: readonly Sweep[]): string {
  return sweeps.flatMap(({ title, unit, points, fit, counted }) => {
    const number = ({ median, min, max }: Spread) =>
      unit === "bytes"
        ? `${(median / 2 ** 20).toFixed(1)} MiB`
        : `${median.toPrecision(3)} ms (${min.toPrecision(3)}..${max.toPrecision(3)})`;
    const interval = fit.interval?.map((end) => end.toFixed(2)).join("..");
    return [
      title,
      ...points.map(({ size, cost }) => `  ${String(size).padStart(5)}  ${number(cost)}`),
      `  exponent ${fit.exponent.toFixed(2)}${interval ? ` (95 % ${interval})` : ""}` +
      (counted === null ? "" : `, by operations ${counted.toFixed(2)}`),
    ];
  }).join("\n");
}
