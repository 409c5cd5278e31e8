/** The whole benchmark at sizes of no interest: every case is right, and the report, table and chart say what was measured. */
import { compile, type TopLevelSpec } from "vega-lite";
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { persistent } from "../../../kernels/gpu/tensor.ts";
import { matmul } from "../../../kernels/matmul/matmul.ts";
import { parameterCount } from "../../../kernels/policy/config.ts";
import { arithmeticRoof } from "../../../kernels/roof/roof.ts";
import { bench, type BenchReport } from "../../../workflows/bench/bench.ts";
import { benchCases, benchPolicy, stepFlops } from "../../../workflows/bench/cases.ts";
import { chartSpec } from "../../../workflows/bench/chart.ts";
import { toSvg } from "../../../workflows/report/chart.ts";
import type { Contestant } from "../../../workflows/bench/contestant.ts";
import { RECURRENCE, storedShapes } from "../../../workflows/bench/contest.ts";
import { doubts } from "../../../workflows/bench/machine.ts";
import { table, verdicts } from "../../../workflows/bench/report.ts";
import { assert, assertAlmostEquals, assertEquals } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";

const cases = benchCases(true);

/** A peer that is right about waiting and products of its own making, and never about a training step. */
const peer = (gpu: Gpu): Contestant => ({
  name: "peer",
  version: "0",
  adapter: gpu.info.description,
  open: () =>
    Promise.resolve({
      cold: { ms: 1, cpuMs: 1, rss: 1 },
      answers: [1],
      run: (count) => Promise.resolve({ ms: count, cpuMs: count, rss: 3 }),
      close: () => Promise.resolve(),
    }),
  end: () => Promise.resolve(),
});

let measured: Promise<BenchReport> | undefined;

/** One benchmark of every quick case, for all tests of this file. */
function report(): Promise<BenchReport> {
  return measured ??= testGpu().then((gpu) =>
    bench({
      gpu,
      cases,
      peers: [peer(gpu)],
      race: { rounds: 2, targetMs: 1 },
      quick: true,
      force: false,
      note: () => {},
    }, 0.5)
  );
}

Deno.test("bench: the toolkit is right in every case and with every schedule", async () => {
  const { cases: reports } = await report();
  assertEquals(reports.map(({ id }) => id), cases.map(({ id }) => id));
  for (const { lines } of reports) {
    for (const { name, problem, time } of lines.filter(({ name }) => name !== "peer")) {
      assertEquals([name, problem], [name, null]);
      assert(time !== null && time.min > 0 && time.min <= time.median && time.median <= time.max);
    }
  }
  const names = (id: string) => reports.find((one) => one.id === id)!.lines.map(({ name }) => name);
  assertEquals(names("matmul-qkv").slice(0, 3), ["infant", "infant registers", "infant tiled"]);
  assertEquals(names("matmul-qkv").at(-1), "peer");
  assertEquals(names("nursery-step"), ["infant"]);
});

Deno.test("bench: a peer with wrong answers has a reason instead of a time", async () => {
  const { cases: reports, libraries, peakMemory } = await report();
  assertEquals(libraries.map(({ name }) => name), ["infant", "peer"]);
  assertEquals(peakMemory.peer, 3);
  assert(peakMemory.infant > 2 ** 24);
  const line = (id: string) =>
    reports.find((one) => one.id === id)!.lines.find(({ name }) => name === "peer")!;
  assert(line("wait").ratio !== null);
  for (const id of ["matmul-square", "gpt-step"]) {
    const { problem, time, ratio } = line(id);
    assert(problem !== null);
    assertEquals([time, ratio], [null, null]);
  }
});

Deno.test("bench: rates are the work over the median time", async () => {
  const { cases: reports } = await report();
  for (const { work, lines: [{ time, gflops, gbps, tokensPerSecond }] } of reports) {
    const seconds = time!.median / 1000;
    const check = (rate: number | undefined, amount: number | undefined) => {
      assertEquals(rate === undefined, amount === undefined);
      if (rate !== undefined) assertAlmostEquals(rate * seconds / amount!, 1, 1e-9);
    };
    check(gflops, work.flops && work.flops / 1e9);
    check(gbps, work.bytes && work.bytes / 1e9);
    check(tokensPerSecond, work.tokens);
  }
});

Deno.test("bench: quick and noisy runs are not quotable, --force lifts only the noise", () => {
  assertEquals(doubts(1.9, false, false), []);
  assert(doubts(2.1, false, false)[0].startsWith("the load average was 2.1"));
  assertEquals(doubts(2.1, false, true), []);
  assertEquals(doubts(0, true, true).length, 1);
});

Deno.test("bench: the table names every case, rate and doubt", async () => {
  const measured = await report();
  const text = table(measured);
  for (const { title } of measured.cases) assert(text.includes(title), title);
  for (const part of ["GFLOP/s", "GB/s", "tokens/s", "WRONG: ", "NOT QUOTABLE: --quick"]) {
    assert(text.includes(part), part);
  }
});

Deno.test("bench: the verdict looks at every round", async () => {
  const measured = await report();
  const verdict = (min: number, median: number) => {
    const spread = { min, median, max: 9 };
    const lines = [{ ...measured.cases[0].lines[0], name: "x", ratio: spread, cpuRatio: spread }];
    return verdicts({ ...measured, cases: [{ ...measured.cases[0], id: "gpt-step", lines }] })[0];
  };
  assert(verdict(4, 5).includes("at least 4 in every round"));
  assert(verdict(3.9, 5).includes("in most rounds, not in all"));
  assert(verdict(3, 3.9).includes("less than 4"));
});

Deno.test("bench: the chart compiles and draws a bar for each right answer", async () => {
  const measured = await report();
  const spec = chartSpec(measured);
  compile(spec as unknown as TopLevelSpec);
  const svg = await toSvg(spec);
  const right = measured.cases.flatMap(({ id, lines }) =>
    /^(matmul|gpt-step)/.test(id) ? lines.filter(({ problem }) => problem === null) : []
  );
  assertEquals([...svg.matchAll(/aria-roledescription="bar"/g)].length, right.length);
});

Deno.test("bench: the work of products and roofs is what their kernels state", async () => {
  const gpu = await testGpu();
  for (const { task, work } of cases) {
    const tape = new Tape(gpu, "count");
    if (task.kind === "matmul") {
      const { a, b } = storedShapes(task);
      matmul(tape, task.form, persistent(gpu, "a", a), persistent(gpu, "b", b));
      assertEquals(tape.flops, work.flops);
    } else if (task.kind === "arithmetic") {
      const vector = () => tape.tensor("vector", [task.values]);
      assertEquals(arithmeticRoof(tape, vector(), vector(), RECURRENCE), work.flops);
    }
  }
});

Deno.test("bench: a step's operations are six per weight and token when attention is short", () => {
  const config = benchPolicy({ layers: 4, width: 128, heads: 4, context: 128, vocabSize: 512 });
  // Biases, norms and positions do not multiply: 2 % of this policy's values.
  const perToken = stepFlops(config, 1, 0);
  const share = perToken / (6 * parameterCount(config));
  assert(share > 0.97 && share < 1, String(share));
  const attention = stepFlops(config, 1, 128) - perToken;
  assertEquals(attention, 12 * 4 * 128 * 128);
});
