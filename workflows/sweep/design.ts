/**
 * Which settings a sweep measures: grids, lists, Latin hypercubes, and where an adaptive search begins.
 *
 * A Latin hypercube (McKay, Beckman & Conover, 1979) of n points has one in each n-th of every range.
 */
import { Random } from "../data/random.ts";
import type { AdaptiveSearch, Range, Search } from "./spec.ts";

/** Values by key of the training configuration. */
export type Values = Readonly<Record<string, unknown>>;

/** A sweep's settings; of an adaptive one those that it starts with. */
export function startingSettings(search: Search): Values[] {
  if (search.grid) return grid(search.grid);
  if (search.list) return search.list.map((values) => ({ ...values }));
  if (search.named) return Object.values(search.named).map((values) => ({ ...values }));
  if (search.latin_hypercube) {
    const { keys, points, seed } = search.latin_hypercube;
    const random = new Random(seed, "latin hypercube");
    return latinHypercube(points, Object.keys(keys).length, random).map((at) => valuesAt(keys, at));
  }
  const { keys, start } = search.adaptive!;
  return startOf(Object.keys(keys).length, start).map((at) => valuesAt(keys, at));
}

/** All combinations, the last key changing fastest. */
function grid(axes: Readonly<Record<string, readonly unknown[]>>): Values[] {
  return Object.entries(axes).reduce<Values[]>(
    (settings, [key, values]) =>
      settings.flatMap((setting) => values.map((value) => ({ ...setting, [key]: value }))),
    [{}],
  );
}

/** n points of the unit cube; without random numbers in the middle of their cells. */
function latinHypercube(n: number, dimensions: number, random: Random): number[][] {
  const axes = Array.from({ length: dimensions }, () => {
    const cells = random.sample(Array.from({ length: n }, (_, i) => i), n);
    return cells.map((cell) => (cell + random.unit()) / n);
  });
  return Array.from({ length: n }, (_, i) => axes.map((axis) => axis[i]));
}

/** The corners of the unit cube, because halving never leaves what they span, then points that fill it. */
function startOf(dimensions: number, count: number): number[][] {
  const corners = Array.from(
    { length: 2 ** dimensions },
    (_, i) => Array.from({ length: dimensions }, (_, k) => (i >> k) & 1),
  );
  const inside = count - corners.length;
  const random = new Random(dimensions, count, "adaptive start");
  const filling = dimensions === 1
    ? Array.from({ length: inside }, (_, i) => [(i + 1) / (inside + 1)])
    : latinHypercube(inside, dimensions, random);
  return [...corners, ...filling];
}

/** The values at a point of the unit cube. */
export function valuesAt(keys: Readonly<Record<string, Range>>, at: readonly number[]): Values {
  return Object.fromEntries(
    Object.entries(keys).map(([key, range], k) => [key, valueAt(range, at[k])]),
  );
}

function valueAt({ low, high, scale, whole }: Range, at: number): number {
  const value = scale === "log"
    ? low * (high / low) ** at
    : low + (high - low) * (scale === "square" ? at * at : at);
  // Six digits are enough to choose by, and read better in tables and file names.
  const short = at === 0 ? low : at === 1 ? high : Number(value.toPrecision(6));
  return whole ? Math.round(short) : short;
}

/** The point of the unit cube at which values lie, the inverse of {@linkcode valuesAt}. */
export function placeOf({ keys }: AdaptiveSearch, values: Values): number[] {
  return Object.entries(keys).map(([key, { low, high, scale }]) => {
    const value = values[key] as number;
    if (scale === "log") return clamp(Math.log(value / low) / Math.log(high / low));
    const share = clamp((value - low) / (high - low));
    return scale === "square" ? Math.sqrt(share) : share;
  });
}

const clamp = (share: number): number => Math.min(1, Math.max(0, share));
