/**
 * Interleaved rounds: A B C, then B C A, then C A B, so that whatever else the machine does falls on all alike, and ratios are
 * taken within a round.
 */
import { oneLine } from "../../kernels/errors.ts";
import type { Task } from "./contest.ts";
import type { Contestant, OpenTask } from "./contestant.ts";

/** Most runs between two waits. */
const MOST_RUNS = 1000;

/** A contestant in one case. */
export interface Entry {
  /** Its name in this case, e.g. `infant tiled`. */
  readonly name: string;
  /** Who runs it. */
  readonly contestant: Contestant;
  /** What it runs. */
  readonly task: Task;
}

/** How long to measure. */
export interface RaceSettings {
  /** How often each entry is timed. */
  readonly rounds: number;
  /** Each entry runs about this long in a round. */
  readonly targetMs: number;
}

/** What came out for one entry. */
export interface Result {
  /** The entry's name. */
  readonly name: string;
  /** Why it was not timed; null when all is well. */
  readonly problem: string | null;
  /** Making it ready and the first run; shaders come from the driver's cache where it has them. */
  readonly coldMs: number;
  /** What its answers were. */
  readonly answers: readonly number[];
  /** Runs in each round. */
  readonly count: number;
  /** Milliseconds of one run in each round, the wait taken off. */
  readonly ms: readonly number[];
  /** Processor milliseconds of one run in each round. */
  readonly cpuMs: readonly number[];
  /** Largest resident memory seen of the entry's process, bytes. */
  readonly rss: number;
}

/** Smallest, median and largest of some numbers. */
export interface Spread {
  /** Smallest. */
  readonly min: number;
  /** Middle; the mean of the two middle ones when their number is even. */
  readonly median: number;
  /** Largest. */
  readonly max: number;
}

/** Smallest, median and largest. @throws {RangeError} when there are no values. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError("the spread of no values");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
  return { min: sorted[0], median, max: sorted.at(-1)! };
}

/** other / reference, round by round. */
export function ratios(other: readonly number[], reference: readonly number[]): number[] {
  return other.map((value, round) => value / reference[round]);
}

/** Position of each of `count` entries in a round: the order moves on by one. */
export function roundOrder(count: number, round: number): number[] {
  return Array.from({ length: count }, (_, i) => (i + round) % count);
}

/**
 * Measures a case.
 * @param judge What is wrong with an entry's answers, or null; an entry with wrong answers is not timed.
 * @param waitMs What one wait costs a contestant; taken off each measurement.
 */
export async function race(
  entries: readonly Entry[],
  { rounds, targetMs }: RaceSettings,
  judge: (entry: Entry, answers: readonly number[]) => string | null,
  waitMs: (contestant: Contestant) => number,
): Promise<Result[]> {
  const runners: Runner[] = [];
  for (const entry of entries) runners.push(await enter(entry, targetMs, judge, waitMs));
  for (let round = 0; round < rounds; round++) {
    const fit = runners.filter(({ result }) => result.problem === null);
    for (const at of roundOrder(fit.length, round)) {
      const { task, wait, result } = fit[at];
      const timing = await task!.run(result.count).catch((error) => oneLine(error));
      if (typeof timing === "string") {
        result.problem = timing;
        continue;
      }
      const { ms, cpuMs, rss } = timing;
      // A wait that was longer than usual when it was measured must not make a run free.
      result.ms.push(Math.max(ms - wait, ms / 2) / result.count);
      result.cpuMs.push(cpuMs / result.count);
      result.rss = Math.max(result.rss, rss);
    }
  }
  for (const { task } of runners) await task?.close();
  return runners.map(({ result }) => result);
}

interface Runner {
  /** Null where it could not be made ready. */
  readonly task: OpenTask | null;
  readonly wait: number;
  readonly result: Omit<Result, "problem" | "ms" | "cpuMs" | "rss"> & {
    problem: string | null;
    readonly ms: number[];
    readonly cpuMs: number[];
    rss: number;
  };
}

/** Opens an entry's task, has its answers judged and finds out how many runs fill a round. */
async function enter(
  entry: Entry,
  targetMs: number,
  judge: (entry: Entry, answers: readonly number[]) => string | null,
  waitMs: (contestant: Contestant) => number,
): Promise<Runner> {
  const wait = waitMs(entry.contestant);
  let task: OpenTask | null = null;
  let problem: string | null;
  let count = 1;
  try {
    task = await entry.contestant.open(entry.task);
    problem = judge(entry, task.answers);
    if (problem === null) {
      const { ms } = await task.run(1);
      count = Math.min(MOST_RUNS, Math.max(1, Math.round(targetMs / Math.max(ms - wait, 0.1))));
    }
  } catch (error) {
    const nothing = { coldMs: 0, answers: [], count: 0, ms: [], cpuMs: [], rss: 0 };
    return { task, wait, result: { name: entry.name, problem: oneLine(error), ...nothing } };
  }
  const { cold: { ms: coldMs, rss }, answers } = task;
  const ms: number[] = [];
  const cpuMs: number[] = [];
  return {
    task,
    wait,
    result: { name: entry.name, problem, coldMs, answers, count, ms, cpuMs, rss },
  };
}
