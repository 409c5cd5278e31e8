/** Sweeps measure what they name: one size moves, the law is fitted to medians, and a wrong step is no time. */
import { scalingSpec } from "../../../workflows/bench/chart.ts";
import type { Task } from "../../../workflows/bench/contest.ts";
import type { Contestant } from "../../../workflows/bench/contestant.ts";
import { stepFlops } from "../../../workflows/bench/policies.ts";
import { scaling, scalingTable } from "../../../workflows/bench/scaling.ts";
import { toSvg } from "../../../workflows/report/chart.ts";
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "../../assert.ts";
import { marksIn } from "./marks.ts";

/** A library whose steps take a nanosecond an operation, and whose memory is the square of the length. */
function exact(asked: Task[], answers?: readonly number[]): Contestant {
  return {
    name: "infant",
    version: "0",
    adapter: "exact",
    native: false,
    open(task) {
      asked.push(task);
      let ms = 0;
      let right: readonly number[] = [];
      if (task.kind === "gpt step") {
        const { config, rows, length } = task;
        ms = stepFlops(config, rows * length, length) / 1e6;
        const first = Math.log(config.vocabSize);
        right = [first, first - 0.1, first - 0.2];
      } else if (task.kind === "memory") right = [task.length ** 2];
      return Promise.resolve({
        cold: { ms, cpuMs: ms, rss: 0 },
        answers: answers && task.kind === "gpt step" ? answers : right,
        run: (count) => Promise.resolve({ ms: count * ms, cpuMs: count * ms, rss: 0 }),
        close: () => Promise.resolve(),
      });
    },
    end: () => Promise.resolve(),
  };
}

const settings = { rounds: 2, targetMs: 1 };

Deno.test("scaling: a machine that only counts operations has the counted exponents", async () => {
  const asked: Task[] = [];
  const sweeps = await scaling(exact(asked), settings, true, () => {});
  assertEquals(sweeps.map(({ axis }) => axis), [
    "batch",
    "length",
    "width",
    "layers",
    "length",
    "length",
  ]);
  for (const { fit, counted, unit } of sweeps) {
    assertAlmostEquals(fit.exponent, unit === "bytes" ? 2 : counted!, 1e-9);
  }
  assertAlmostEquals(sweeps[0].counted!, 1, 1e-9);
  const memory = asked.filter((task) => task.kind === "memory");
  assertEquals(memory.map(({ recompute }) => recompute), [false, false, false, true, true, true]);
  const steps = asked.filter((task) => task.kind === "gpt step");
  assertEquals(steps.slice(0, 3).map(({ rows }) => rows), [1, 2, 4]);
  assertEquals(new Set(steps.slice(0, 3).map(({ length }) => length)).size, 1);
  assertEquals(steps.slice(6, 9).map(({ config }) => config.width), [32, 64, 96]);
});

Deno.test("scaling: steps with wrong losses end it", async () => {
  await assertRejects(
    () => scaling(exact([], [4, 5, 6]), settings, true, () => {}),
    Error,
    "scaling, batch 1: first loss",
  );
});

Deno.test("scaling: the table names sizes and exponents, the chart draws every point", async () => {
  const sweeps = await scaling(exact([]), settings, true, () => {});
  const text = scalingTable(sweeps);
  assert(text.includes("step time against width"));
  assert(/exponent 1\.00 \(95 % 1\.00\.\.1\.00\), by operations 1\.00/.test(text), text);
  assert(text.includes("exponent 2.00"));
  const svg = await toSvg(scalingSpec(sweeps));
  const points = sweeps.reduce((sum, sweep) => sum + sweep.points.length, 0);
  assertEquals(marksIn(svg, "symbol"), points);
});
