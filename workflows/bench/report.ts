/**
 * The report as a table for people, who read it in a terminal.
 */
import type { BenchReport, CaseReport, Line } from "./bench.ts";
import { type Spread, spread } from "./race.ts";

/** The goal: how many times longer than the toolkit's a peer's training step takes at least. */
export const WANTED_RATIO = 4;

const MIB = 2 ** 20;

/** Columns after the name; all but the last are aligned to the right. */
const HEAD = [
  "first",
  "min",
  "median",
  "max ms",
  "cpu ms",
  "rate",
  "time/ours",
  "min..max",
  "cpu/ours",
];
const WIDTHS = [9, 9, 9, 9, 9, 20, 10, 15, 9];

/** The whole table. */
export function table(report: BenchReport): string {
  const { libraries, machine, loadAverage, race, doubts, peakMemory } = report;
  const roof = report.cases.find(({ id }) => id === "roof-arithmetic")?.lines[0].gflops ?? null;
  return [
    `${libraries[0].adapter}, ${machine.cpu}, Deno ${machine.deno}, ${machine.os}`,
    libraries.map(({ name, version }) => `${name} ${version}`).join(", "),
    `${race.rounds} interleaved rounds of about ${race.targetMs} ms; the wait is taken off;` +
    ` rates are of the median, % of the measured roof`,
    `load average ${loadAverage.start.toFixed(1)} at the start, ${
      loadAverage.end.toFixed(1)
    } at the end` +
    (report.forced ? " (--force)" : ""),
    "",
    row("", HEAD),
    ...report.cases.flatMap((one) => caseRows(one, roof)),
    "",
    "resident memory, largest seen: " +
    Object.entries(peakMemory).map(([name, bytes]) => `${name} ${(bytes / MIB).toFixed(0)} MiB`)
      .join(", "),
    ...verdicts(report),
    ...(doubts.length > 0 ? [`NOT QUOTABLE: ${doubts.join("; ")}`] : []),
  ].join("\n");
}

/** Whether the training step is as many times faster than each peer's as was asked for, in every round. */
export function verdicts({ cases }: BenchReport): string[] {
  const step = cases.find(({ id }) => id === "gpt-step");
  return (step?.lines ?? []).flatMap(({ name, ratio, cpuRatio }) => {
    if (!ratio || !cpuRatio) return [];
    const verdict = ratio.min >= WANTED_RATIO
      ? `at least ${WANTED_RATIO} in every round`
      : ratio.median >= WANTED_RATIO
      ? `at least ${WANTED_RATIO} in most rounds, not in all`
      : `less than ${WANTED_RATIO}`;
    return [
      `training step, ${name} / ours: ${ratio.median.toFixed(1)} of wall time (${verdict}), ` +
      `${cpuRatio.median.toFixed(1)} of processor time (${range(cpuRatio)})`,
    ];
  });
}

function caseRows({ title, lines }: CaseReport, roof: number | null): string[] {
  return [title, ...lines.map((line) => row(`  ${line.name}`, cells(line, roof)))];
}

function cells(line: Line, roof: number | null): string[] {
  const { time, ratio, cpuRatio, coldMs, cpuMs, problem } = line;
  if (!time) return [`WRONG: ${problem}`];
  return [
    digits(coldMs),
    ...[time.min, time.median, time.max, spread(cpuMs).median].map(digits),
    rate(line, roof),
    ratio ? digits(ratio.median) : "",
    ratio ? range(ratio) : "",
    cpuRatio ? digits(cpuRatio.median) : "",
  ];
}

/** Tokens rather than operations where both are known; operations also as a share of the measured roof. */
function rate({ gflops, gbps, tokensPerSecond }: Line, roof: number | null): string {
  if (tokensPerSecond !== undefined) return `${digits(tokensPerSecond)} tokens/s`;
  if (gbps !== undefined) return `${digits(gbps)} GB/s`;
  if (gflops === undefined) return "";
  const share = roof === null ? "" : ` ${(100 * gflops / roof).toFixed(0).padStart(3)}%`;
  return `${digits(gflops)} GFLOP/s${share}`;
}

/** Three digits. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function range({ min, max }: Spread): string {
  return `${digits(min)}..${digits(max)}`;
}

function row(name: string, values: readonly string[]): string {
  return name.padEnd(24) + values.map((value, i) => value.padStart(WIDTHS[i])).join("");
}
