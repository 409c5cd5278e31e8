/**
 * The report as a table for people, who read it in a terminal.
 */
import type { BenchReport, CaseReport, FreshLine, Line } from "./bench.ts";
import { type Spread, spread } from "./race.ts";

/** What is asked of the small training step: at least so many times a peer's speed. */
export const WANTED: Readonly<Record<string, number>> = { "jax-js": 9, tfjs: 12, torch: 0.5 };

const MIB = 2 ** 20;
const NAME_WIDTH = 24;

/** Columns after the name; all but the last are aligned to the right. */
const HEAD = [
  "min",
  "median",
  "max ms",
  "cpu ms",
  "rate",
  "roof",
  "a core",
  "time/ours",
  "min..max",
  "cpu/ours",
];
const WIDTHS = [9, 9, 9, 9, 18, 7, 9, 10, 15, 9];

/** The whole table. */
export function table(report: BenchReport): string {
  const { libraries, machine, loadAverage, race, doubts, peakMemory } = report;
  const raced = report.cases.filter(({ lines }) => lines.length > 0);
  const memory = Object.entries(peakMemory).filter(([, bytes]) => bytes > 0);
  return [
    `${libraries[0].adapter}, ${machine.cpu}, Deno ${machine.deno}, ${machine.os}`,
    libraries.map(({ name, version }) => `${name} ${version}`).join(", "),
    `${race.rounds} interleaved rounds of about ${race.targetMs} ms; the wait is taken off; rates are of the median,`,
    `"roof" is the share of this run's arithmetic or copy roof, "a core" is GFLOP per second of processor time`,
    `load average ${loadAverage.start.toFixed(1)} at the start, ${
      loadAverage.end.toFixed(1)
    } at the end` +
    (report.forced ? " (--force)" : ""),
    ...raced.length > 0 ? ["", row("", HEAD), ...raced.flatMap(caseRows)] : [],
    ...freshRows(report.cases),
    ...memory.length > 0
      ? [
        "",
        "peak memory of each process over all cases: " +
        memory.map(([name, bytes]) => `${name} ${(bytes / MIB).toFixed(0)} MiB`).join(", "),
      ]
      : [],
    ...verdicts(report),
    ...(doubts.length > 0 ? [`NOT QUOTABLE: ${doubts.join("; ")}`] : []),
  ].join("\n");
}

/** Whether the small and the medium training step are as fast beside each peer's as was asked for, in every round. */
export function verdicts({ cases }: BenchReport): string[] {
  return cases.filter(({ id }) => /^step-(small|medium)$/.test(id)).flatMap(({ id, lines }) =>
    lines.flatMap(({ name, ratio, cpuRatio }) => {
      if (!ratio || !cpuRatio || !Object.hasOwn(WANTED, name)) return [];
      const wanted = WANTED[name];
      const verdict = ratio.min >= wanted
        ? `at least ${wanted} in every round`
        : ratio.median >= wanted
        ? `at least ${wanted} in most rounds, not in all`
        : `less than ${wanted}`;
      return [
        `${id}, ${name} / ours: ${digits(ratio.median)} of wall time (${verdict}), ` +
        `${digits(cpuRatio.median)} of processor time (${range(cpuRatio)})`,
      ];
    })
  );
}

function caseRows({ title, lines }: CaseReport): string[] {
  return [title, ...lines.map((line) => row(`  ${line.name}`, cells(line)))];
}

function cells(line: Line): string[] {
  const { time, ratio, cpuRatio, cpuMs, problem, share, gflopsPerCore } = line;
  if (!time) return [` WRONG: ${problem}`];
  return [
    ...[time.min, time.median, time.max, spread(cpuMs).median].map(digits),
    rate(line),
    share === undefined ? "" : `${(100 * share).toFixed(0)}%`,
    gflopsPerCore === undefined ? "" : digits(gflopsPerCore),
    ratio ? digits(ratio.median) : "",
    ratio ? range(ratio) : "",
    cpuRatio ? digits(cpuRatio.median) : "",
  ];
}

/** First steps of fresh processes, and their memory. */
function freshRows(cases: readonly CaseReport[]): string[] {
  const fresh = cases.filter(({ fresh }) => fresh.length > 0);
  if (fresh.length === 0) return [];
  const one = ({ name, problem, cold, warm, starts }: FreshLine) => {
    if (!cold || !warm) return `  ${name.padEnd(NAME_WIDTH - 2)} WRONG: ${problem}`;
    const memory = Math.max(...starts.map(({ peakMemory }) => peakMemory));
    const seconds = ({ min, median, max }: Spread) =>
      `${digits(median / 1000)} s (${range({ min: min / 1000, median, max: max / 1000 })})`;
    return `  ${name.padEnd(NAME_WIDTH - 2)} cold ${seconds(cold)}, shaders cached ${
      seconds(warm)
    }, peak memory ${(memory / MIB).toFixed(0)} MiB`;
  };
  return [
    "",
    "first step of a fresh process, after its library was loaded: weights, recording, compilation, the step",
    ...fresh.flatMap(({ title, fresh }) => [title, ...fresh.map(one)]),
  ];
}

/** Tokens rather than operations where both are known. */
function rate({ gflops, gbps, tokensPerSecond }: Line): string {
  if (tokensPerSecond !== undefined) return `${digits(tokensPerSecond)} tokens/s`;
  if (gbps !== undefined) return `${digits(gbps)} GB/s`;
  return gflops === undefined ? "" : `${digits(gflops)} GFLOP/s`;
}

/** Three digits. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function range({ min, max }: Spread): string {
  return `${digits(min)}..${digits(max)}`;
}

function row(name: string, values: readonly string[]): string {
  return name.padEnd(NAME_WIDTH) + values.map((value, i) => value.padStart(WIDTHS[i])).join("");
}
