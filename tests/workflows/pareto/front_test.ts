/** Fronts, hypervolume and indicators against brute force and by hand. */
import fc from "fast-check";
import {
  dominates,
  front,
  frontPrinted,
  type Objectives,
  weaklyDominates,
} from "../../../workflows/pareto/front.ts";
import { hypervolume, hypervolumeGain } from "../../../workflows/pareto/hypervolume.ts";
import {
  additiveEpsilon,
  gd,
  gdPlus,
  igd,
  igdPlus,
  multiplicativeEpsilon,
} from "../../../workflows/pareto/indicators.ts";
import { capability, safety } from "../../../workflows/pareto/metrics.ts";
import { InputError } from "../../../kernels/errors.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";

const CELLS = 6;

/** Points on a small grid: ties and duplicates are common. */
const grid = (objectives: number, maxLength = 10) =>
  fc.array(
    fc.array(fc.integer({ min: 0, max: CELLS }), { minLength: objectives, maxLength: objectives }),
    { minLength: 1, maxLength },
  );
const at = (points: readonly Objectives[], indices: readonly number[]) =>
  indices.map((i) => points[i]);

Deno.test("front: idempotent, undominated within, and dominating or equalling all else", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 4 }).chain((d) => grid(d)), (points) => {
    const kept = at(points, front(points));
    assertEquals(at(kept, front(kept)), kept);
    for (const a of kept) assert(!kept.some((b) => dominates(b, a)));
    for (const point of points) assert(kept.some((a) => weaklyDominates(a, point)));
    const first = front(points, "first");
    assertEquals(new Set(at(points, first).map(String)).size, first.length);
    assertEquals(new Set(at(points, first).map(String)), new Set(kept.map(String)));
    first.forEach((i) => assertEquals(points.findIndex((p) => `${p}` === `${points[i]}`), i));
  }));
});

Deno.test("front: Eq. 54 as printed keeps the whole front, and points beaten at equal S besides", () => {
  fc.assert(fc.property(grid(2), (points) => {
    const printed = frontPrinted(points);
    assert(front(points).every((i) => printed.includes(i)));
  }));
  assertEquals(frontPrinted([[0.5, 0.9], [0.6, 0.9]]), [0, 1]);
  assertEquals(frontPrinted([[0.5, 0.9], [0.5, 0.8]]), [0]);
  assertEquals(front([[0.5, 0.9], [0.6, 0.9]]), [1]);
  assertEquals([front([]), frontPrinted([])], [[], []]);
  assertThrows(() => front([[1, 2], [1]]), InputError, "points[1]");
  assertThrows(() => frontPrinted([[1, 2, 3]]), InputError, "two objectives");
});

/** Unit cells of the grid that some point dominates. */
function countCells(points: readonly Objectives[], objectives: number): number {
  let count = 0;
  for (let code = 0; code < CELLS ** objectives; code++) {
    const corner = Array.from(
      { length: objectives },
      (_, k) => Math.floor(code / CELLS ** k) % CELLS + 1,
    );
    if (points.some((point) => weaklyDominates(point, corner))) count++;
  }
  return count;
}

Deno.test("hypervolume: equals the number of grid cells below the points", () => {
  const cases = fc.integer({ min: 1, max: 4 }).chain((d) => grid(d));
  fc.assert(fc.property(cases, (points) => {
    const objectives = points[0].length;
    const reference = new Array<number>(objectives).fill(0);
    assertEquals(hypervolume(points, reference), countCells(points, objectives));
    // The front alone has it all; more points never have less.
    assertEquals(hypervolume(at(points, front(points)), reference), hypervolume(points, reference));
    const gain = hypervolumeGain(points.slice(1), points[0], reference);
    assertEquals(gain, hypervolume(points, reference) - hypervolume(points.slice(1), reference));
  }));
  assertEquals(hypervolume([], [0, 0]), 0);
  assertEquals(hypervolume([[1, 0.1]], [0, 0.1]), 0);
  assertThrows(() => hypervolume([[1, 1]], [0]), InputError, "reference");
});

Deno.test("indicators: nothing is lost against itself, and what it dominates", () => {
  fc.assert(fc.property(grid(3, 6), grid(3, 6), (found, extra) => {
    for (const indicator of [gd, gdPlus, igd, igdPlus]) {
      assertEquals(indicator(found, found), 0);
      assert(indicator(found, extra) >= 0);
    }
    assertEquals(additiveEpsilon(found, found), 0);
    assert(gdPlus(found, extra) <= gd(found, extra) + 1e-12);
    assert(igdPlus(found, extra) <= igd(found, extra) + 1e-12);
    // A larger set covers a reference at least as well.
    const both = [...found, ...extra];
    for (const indicator of [igd, igdPlus, additiveEpsilon]) {
      assert(indicator(both, extra) <= indicator(found, extra) + 1e-12);
    }
    const better = found.map((point) => point.map((value) => value + 1));
    assertEquals([gdPlus(better, found), igdPlus(better, found)], [0, 0]);
    assertEquals(additiveEpsilon(better, found), -1);
  }));
});

Deno.test("indicators: epsilon is the least shift or factor that covers the reference", () => {
  const positive = grid(2, 6).map((points) => points.map((p) => p.map((value) => value + 1)));
  fc.assert(fc.property(positive, positive, (found, reference) => {
    const covers = (moved: readonly Objectives[]) =>
      reference.every((z) => moved.some((a) => a.every((value, k) => value >= z[k] - 1e-9)));
    const shift = additiveEpsilon(found, reference);
    const factor = multiplicativeEpsilon(found, reference);
    const shifted = (by: number) => found.map((p) => p.map((value) => value + by));
    const scaled = (by: number) => found.map((p) => p.map((value) => value * by));
    assert(covers(shifted(shift)) && !covers(shifted(shift - 1e-6)));
    assert(covers(scaled(factor)) && !covers(scaled(factor * (1 - 1e-6))));
  }));
  assertThrows(() => multiplicativeEpsilon([[0, 1]], [[1, 1]]), InputError, "above 0");
});

Deno.test("indicators: by hand", () => {
  const [found, reference] = [[[1, 0]], [[1, 1], [0, 0]]];
  assertEquals([gd(found, reference), igd(found, reference)], [1, 1]);
  assertEquals([gdPlus(found, reference), igdPlus(found, reference)], [0, 0.5]);
  assertEquals(additiveEpsilon(found, reference), 1);
  assertThrows(() => gd([], reference), InputError, "found");
});

Deno.test("metrics: capability is a weighted mean, safety what is left of V", () => {
  assertAlmostEquals(capability([0.5, 0.25, 0.25], [1, 0.5, 0]), 0.625, 1e-15);
  assertEquals(safety(0.25), 0.75);
  assertThrows(() => capability([0.5, 0.25], [1, 1]), InputError, "sum to 1");
  assertThrows(() => capability([1.5, -0.5], [1, 1]), InputError, "weights[0]");
  assertThrows(() => safety(2), InputError, "violation");
});
