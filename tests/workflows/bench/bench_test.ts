/** The whole benchmark at sizes of no interest: every case is right, and the report, table and chart say what was measured. */
import { compile, type TopLevelSpec } from "vega-lite";
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { bench, type BenchReport, type FreshLine } from "../../../workflows/bench/bench.ts";
import { benchCases } from "../../../workflows/bench/cases.ts";
import { chartSpec } from "../../../workflows/bench/chart.ts";
import { type Contestant, localContestant } from "../../../workflows/bench/contestant.ts";
import { doubts } from "../../../workflows/bench/machine.ts";
import { table, verdicts } from "../../../workflows/bench/report.ts";
import { toolkit } from "../../../workflows/bench/toolkit/toolkit.ts";
import { toSvg } from "../../../workflows/report/chart.ts";
import { assert, assertAlmostEquals, assertEquals } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";
import { marksIn } from "./marks.ts";

const cases = benchCases({ quick: true });

/** A peer that is right about waiting, and never about anything that has a truth. */
const peer = (gpu: Gpu): Contestant => ({
  name: "tfjs",
  version: "0",
  adapter: gpu.info.description,
  native: false,
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

/** A contestant for the fresh processes: three milliseconds and as many bytes; it leaves no shaders. */
const fresh = (gpu: Gpu) => (name: string) => () => Promise.resolve({ ...peer(gpu), name });

/** One benchmark of every quick case, for all tests of this file. */
function report(): Promise<BenchReport> {
  return measured ??= testGpu().then((gpu) =>
    bench({
      own: localContestant(toolkit(gpu)),
      software: gpu.info.software,
      cases,
      peers: [peer(gpu), { ...peer(gpu), name: "torch", adapter: "elsewhere" }],
      fresh: fresh(gpu),
      onlyFresh: false,
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
    for (const { name, problem, time } of lines.filter(({ name }) => name.startsWith("infant"))) {
      assertEquals([name, problem], [name, null]);
      assert(time !== null && time.min > 0 && time.min <= time.median && time.median <= time.max);
    }
  }
  const names = (id: string) => reports.find((one) => one.id === id)!.lines.map(({ name }) => name);
  const schedules = names("matmul-square-nn").filter((name) => name.startsWith("infant "));
  assert(schedules.includes("infant registers") && schedules.includes("infant tiled"));
  assertEquals(names("matmul-tiny-mlp-up-d_W"), ["infant", "tfjs", "torch"]);
  assertEquals(names("step-tiny"), ["infant", "infant recompute", "tfjs", "torch"]);
  assertEquals(names("generate-4"), ["infant", "infant without a cache"]);
  assertEquals(names("step-nursery"), ["infant"]);
});

Deno.test("bench: a peer with wrong answers has a reason instead of a time", async () => {
  const { cases: reports, libraries, peakMemory } = await report();
  assertEquals(libraries.map(({ name }) => name), ["infant", "tfjs", "torch"]);
  assertEquals(peakMemory.tfjs, 3);
  assert(peakMemory.infant > 2 ** 24);
  const line = (id: string, who: string) =>
    reports.find((one) => one.id === id)!.lines.find(({ name }) => name === who)!;
  assert(line("wait", "tfjs").ratio !== null);
  for (const id of ["matmul-square-nn", "step-tiny"]) {
    const { problem, time, ratio } = line(id, "tfjs");
    assert(problem !== null);
    assertEquals([time, ratio], [null, null]);
  }
  // Whoever computes on another adapter is not timed, however right.
  assert(line("wait", "torch").problem?.startsWith("computes on elsewhere, the toolkit on "));
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

Deno.test("bench: shares are of this run's own roofs", async () => {
  const { cases: reports } = await report();
  const first = (id: string) => reports.find((one) => one.id === id)!.lines[0];
  const [arithmetic, copy] = [first("roof-arithmetic"), first("roof-copy")];
  const { software } = (await testGpu()).info;
  let products = 0;
  for (const { id, work, lines } of reports) {
    for (const { share, gflops, gflopsPerCore, gbps, time } of lines) {
      if (!time || id.startsWith("roof-")) continue;
      if (gflops !== undefined) {
        const rate = software
          ? gflopsPerCore! / arithmetic.gflopsPerCore!
          : gflops / arithmetic.gflops!;
        assertAlmostEquals(share!, rate, 1e-9);
        products++;
      } else if (gbps !== undefined) assertAlmostEquals(share!, gbps / copy.gbps!, 1e-9);
      else assertEquals([share, work.flops], [undefined, undefined]);
    }
  }
  assert(products > 18);
});

Deno.test("bench: fresh processes of a step, for everyone in it; a start that shows no shader is none", async () => {
  const { cases: reports } = await report();
  const withFresh = reports.filter(({ fresh }) => fresh.length > 0);
  assertEquals(withFresh.map(({ id }) => id), ["step-tiny"]);
  const line = (name: string): FreshLine => withFresh[0].fresh.find((one) => one.name === name)!;
  const { cold, warm, starts } = line("tfjs");
  assertEquals([cold?.median, warm?.median, starts[0].peakMemory], [1, 1, 3]);
  const { software } = (await testGpu()).info;
  if (software) assert(line("infant").problem?.includes("no shader in its cache"));
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
  for (const part of ["GFLOP/s", "GB/s", "tokens/s", "WRONG: ", "NOT QUOTABLE: --quick", "cold "]) {
    assert(text.includes(part), part);
  }
});

Deno.test("bench: the verdict looks at every round", async () => {
  const measured = await report();
  const verdict = (name: string, min: number, median: number) => {
    const spread = { min, median, max: 99 };
    const lines = [{ ...measured.cases[0].lines[0], name, ratio: spread, cpuRatio: spread }];
    return verdicts({ ...measured, cases: [{ ...measured.cases[0], id: "step-small", lines }] })[0];
  };
  assert(verdict("jax-js", 9, 10).includes("at least 9 in every round"));
  assert(verdict("tfjs", 11.9, 13).includes("at least 12 in most rounds, not in all"));
  assert(verdict("torch", 0.3, 0.49).includes("less than 0.5"));
  assertEquals(verdict("infant recompute", 1, 1), undefined);
});

Deno.test("bench: the chart compiles and draws a bar for each right answer", async () => {
  const measured = await report();
  const spec = chartSpec(measured);
  compile(spec as unknown as TopLevelSpec);
  const svg = await toSvg(spec);
  const right = measured.cases.flatMap(({ id, lines }) =>
    /^(wait|roof)/.test(id) ? [] : lines.filter(({ problem }) => problem === null)
  );
  // Two more for each first step: cold and cached.
  const starts = measured.cases.flatMap(({ fresh }) => fresh.filter(({ cold }) => cold));
  assertEquals(marksIn(svg, "rect"), right.length + 2 * starts.length);
});
