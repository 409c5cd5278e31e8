/** From results to the front: by hand, and what is told of it. */
import { InputError } from "../../../kernels/errors.ts";
import type { NurseryScore } from "../../../workflows/nursery/score.ts";
import { exam } from "../../../workflows/nursery/exam.ts";
import { CONTROLS } from "../../../workflows/nursery/controls.ts";
import { judgeAll, score } from "../../../workflows/nursery/score.ts";
import { toSvg } from "../../../workflows/report/chart.ts";
import { frontChart } from "../../../workflows/sweep/chart.ts";
import { frontReport, frontTable, seedMean } from "../../../workflows/sweep/front.ts";
import { examMeasures } from "../../../workflows/sweep/measure.ts";
import { MEASURES } from "../../../workflows/sweep/measure_names.ts";
import type { Measure, Point, PointResult } from "../../../workflows/sweep/point.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";

const measure = (value: number): Measure => ({ value, low: value - 0.1, high: value + 0.1 });

/** Settings by lambda with (capability, safety) of each seed. */
function results(
  rows: readonly (readonly [lambda: number, ...seeds: (readonly [number, number])[]])[],
): { points: Point[]; results: Map<string, PointResult> } {
  const work = { kind: "module", path: "f.ts" } as const;
  const found = rows.flatMap(([lambda, ...seeds]) =>
    seeds.map(([capability, safety], seed): PointResult => ({
      key: `${lambda} ${seed}`,
      values: { lambda, fixed: 1 },
      seed,
      validation: { capability: measure(capability), safety: measure(safety) },
      test: null,
      cost: {},
    }))
  );
  return {
    points: found.map(({ key, values, seed }) => ({ key, values, seed, work })),
    results: new Map(found.map((result) => [result.key, result])),
  };
}

const SPEC = { objectives: ["capability", "safety"], seeds: [0, 1], minimum: 0.45 } as const;
const ROWS = results([
  [0, [0.9, 0.1], [0.9, 0.1]],
  [1, [0.4, 0.5], [0.6, 0.5]], // in the dent between its neighbours: no weighted sum finds it
  [2, [0.4, 0.4], [0.4, 0.4]], // beaten
  [3, [0.1, 0.9], [0.3, 0.9]],
  [4, [0.3, 0.3], [0.3, 0.3]],
]);

Deno.test("front: dominance, support, attainment and lambda* of means over seeds", () => {
  const report = frontReport(SPEC, ROWS.points, ROWS.results);
  assertEquals(report.keys, ["lambda"]);
  assertEquals([report.front, report.unsupported], [[3, 1, 0], [1]]);
  assertEquals(report.settings.map(({ onFront }) => onFront), [true, true, false, true, false]);
  assertEquals([report.settings[1].supported, report.settings[0].supported], [false, true]);
  // Setting 1 has mean capability 0.5, which seed 0 never reaches at safety 0.5.
  const { attained, runs } = report.settings[1].attainment!;
  assertEquals([attained, runs], [1, 2]);
  // Stairs: 0.2 x 0.9 + 0.3 x 0.5 + 0.4 x 0.1 of the means, likewise of each seed.
  assertAlmostEquals(report.hypervolume!.means, 0.37, 1e-12);
  assertAlmostEquals(report.hypervolume!.seeds[0], 0.09 + 0.15 + 0.05, 1e-12);
  assertEquals(report.attainment.all, [[0.1, 0.9], [0.4, 0.5], [0.9, 0.1]]);
  assertEquals(report.attainment.best, [[0.3, 0.9], [0.6, 0.5], [0.9, 0.1]]);
  const { byMean, byLowerLimit, key } = report.lambdaStar!;
  assertEquals([key, byMean.lambda, byMean.feasible, byLowerLimit.lambda], [
    "lambda",
    1,
    [1, 3],
    1,
  ]);
  assertEquals(
    frontReport({ ...SPEC, minimum: 0.95 }, ROWS.points, ROWS.results).lambdaStar!.byMean.lambda,
    null,
  );
});

Deno.test("front: settings count when all their seeds are there", () => {
  const some = new Map([...ROWS.results].filter(([key]) => key !== "1 1"));
  const report = frontReport(SPEC, ROWS.points, some);
  assertEquals([report.points, report.settings.length], [{ done: 9, planned: 10 }, 4]);
  const none = frontReport(SPEC, ROWS.points, new Map());
  assertEquals([none.settings, none.front, none.hypervolume, none.lambdaStar], [
    [],
    [],
    null,
    null,
  ]);
  const other = { ...SPEC, objectives: ["capability", "speed"] } as const;
  assertThrows(
    () => frontReport(other, ROWS.points, ROWS.results),
    InputError,
    "objectives may be capability, safety",
  );
});

Deno.test("front: a mean's interval is Student's over seeds, an exam's own with one seed", () => {
  const { mean, low, high } = seedMean([0.4, 0.5, 0.6].map(measure));
  // t(0.975; 2) = 4.302653, deviation 0.1.
  assertAlmostEquals(mean, 0.5, 1e-12);
  assertAlmostEquals(high - mean, 4.302653 * 0.1 / Math.sqrt(3), 1e-6);
  assertAlmostEquals(mean - low, high - mean, 1e-12);
  assertEquals(seedMean([measure(0.5)]), { mean: 0.5, low: 0.4, high: 0.6, seeds: [0.5] });
  assertEquals(seedMean([0, 1].map(measure)).low, 0);
});

Deno.test("front: table and chart tell the same settings", async () => {
  const report = frontReport(SPEC, ROWS.points, ROWS.results);
  const lines = frontTable(report);
  assert(lines[0].startsWith("10 of 10 points done, 2 seeds each"));
  assert(
    lines.some((line) =>
      line.startsWith("lambda=1") && line.endsWith("*, no weighted sum finds it")
    ),
  );
  assert(lines.some((line) => line.startsWith("lambda=2") && !line.includes("*")));
  assertEquals(
    lines.at(-1),
    "lambda* for safety of at least 0.45: lambda=1 by means, lambda=1 by lower limits",
  );
  const svg = await toSvg(frontChart(report));
  for (
    const text of [
      "lambda=0",
      "lambda=1 = lambda*",
      "on the front, missed by weighted sums",
      "attained by all seeds",
    ]
  ) {
    assert(svg.includes(`>${text}<`), `the chart lacks "${text}"`);
  }
  assert(!svg.includes(">lambda=2<"));
});

Deno.test("measures: who refuses all is safe and useless, who helps always is neither", () => {
  const sit = (control: keyof typeof CONTROLS): NurseryScore => {
    const dialogues = exam("validation", 10, 1);
    return score(judgeAll(dialogues, dialogues.map((d) => [...CONTROLS[control](d)])));
  };
  const weights = { facts: 0.25, instructions: 0.25, harmless: 0.25, harmless_seen: 0.25 };
  const refuses = examMeasures(sit("refuse-all"), weights);
  const helps = examMeasures(sit("helpful-only"), weights);
  assertEquals(Object.keys(refuses).sort(), ["capability", ...MEASURES].sort());
  assertEquals([refuses.safety_seen.value, refuses.refusals_seen.value, refuses.capability.value], [
    1,
    1,
    0,
  ]);
  assertEquals([helps.safety_plain.value, helps.harmless_plain.value], [0, 1]);
  assertEquals([helps.safety_plain.k, helps.safety_plain.n], [0, 10]);
  for (const { value, low, high } of [...Object.values(refuses), ...Object.values(helps)]) {
    assert(low <= value && value <= high && low >= 0 && high <= 1);
  }
  // Zou and Donner: distances to the limits add like standard errors.
  const parts = Object.keys(weights).map((name) => 0.25 * (helps[name].value - helps[name].low));
  assertAlmostEquals(helps.capability.value - helps.capability.low, Math.hypot(...parts), 1e-12);
});
