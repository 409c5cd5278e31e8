/**
 * A whole benchmark: every case, all contestants, one report.
 */
import type { Gpu } from "../../kernels/gpu/device.ts";
import { type Case, type Work } from "./cases.ts";
import { type Contestant, localContestant } from "./contestant.ts";
import { INITIAL } from "./contest.ts";
import { doubts, loadAverage, type Machine, machine } from "./machine.ts";
import {
  type Entry,
  race,
  type RaceSettings,
  ratios,
  type Result,
  type Spread,
  spread,
} from "./race.ts";
import { toolkit } from "./toolkit.ts";
import { disagreement, problemWith } from "./truth.ts";

/** What to measure. */
export interface BenchRequest {
  /** The device of the toolkit; the caller closes it. */
  readonly gpu: Gpu;
  /** In this order. */
  readonly cases: readonly Case[];
  /** Contestants beside the toolkit; the caller ends them. */
  readonly peers: readonly Contestant[];
  /** Rounds and their length. */
  readonly race: RaceSettings;
  /** The cases are the small ones. */
  readonly quick: boolean;
  /** Quote also what was measured on a busy machine. */
  readonly force: boolean;
  /** Told what is being measured. */
  note(line: string): void;
}

/** One contestant in one case. */
export interface Line extends Omit<Result, "answers"> {
  /** Milliseconds of one run. */
  readonly time: Spread | null;
  /** 1e9 floating-point operations per second of the median time. */
  readonly gflops?: number;
  /** 1e9 bytes per second. */
  readonly gbps?: number;
  /** Tokens per second. */
  readonly tokensPerSecond?: number;
  /** Its time over the toolkit's, round by round. */
  readonly ratio: Spread | null;
  /** The same for processor time. */
  readonly cpuRatio: Spread | null;
}

/** One case with all its contestants; the first is the toolkit as it chooses for itself. */
export interface CaseReport {
  /** As in {@linkcode Case}. */
  readonly id: string;
  /** What it is, for people. */
  readonly title: string;
  /** What one run does. */
  readonly work: Work;
  /** One for each contestant. */
  readonly lines: readonly Line[];
}

/** Everything that was measured. */
export interface BenchReport {
  /** When it ended, ISO 8601. */
  readonly date: string;
  /** False when the numbers say nothing about this machine at rest; `doubts` says why. */
  readonly quotable: boolean;
  /** One line for each reason. */
  readonly doubts: readonly string[];
  /** A busy machine was no reason. */
  readonly forced: boolean;
  /** Over the last minute before the start and at the end; the end has our own load in it. */
  readonly loadAverage: { readonly start: number; readonly end: number };
  /** Where it was measured. */
  readonly machine: Machine;
  /** The toolkit first. */
  readonly libraries: readonly { name: string; version: string; adapter: string }[];
  /** Rounds and their length. */
  readonly race: RaceSettings;
  /** Seed of the initial weights. */
  readonly seed: number;
  /** In the order measured. */
  readonly cases: readonly CaseReport[];
  /** Largest resident memory seen of each library's process, bytes. */
  readonly peakMemory: Readonly<Record<string, number>>;
}

/** Measures everything; `load` is the load average before anything was started. */
export async function bench(request: BenchRequest, load: number): Promise<BenchReport> {
  const { gpu, cases, peers, quick, force, note } = request;
  const own = localContestant(toolkit(gpu));
  const everyone = [own, ...peers];
  const waits = new Map<Contestant, number>();
  const reports: CaseReport[] = [];
  const peakMemory: Record<string, number> = {};
  for (const one of cases) {
    note(one.title);
    const entries = entriesOf(one, own, peers);
    const results = await race(
      entries,
      one.task.kind === "wait" ? { ...request.race, targetMs: 0 } : request.race,
      judge(own),
      // Whoever asks for text waits for it: there the wait belongs to the time.
      (contestant) => one.task.kind === "generate" ? 0 : waits.get(contestant) ?? 0,
    );
    results.forEach(({ ms, rss, problem, name }, i) => {
      const { contestant } = entries[i];
      if (one.task.kind === "wait" && problem === null) waits.set(contestant, spread(ms).median);
      peakMemory[contestant.name] = Math.max(peakMemory[contestant.name] ?? 0, rss);
      if (problem !== null) note(`  ${name}: ${problem}`);
    });
    reports.push(caseReport(one, results));
  }
  const why = doubts(load, quick, force);
  return {
    date: new Date().toISOString(),
    quotable: why.length === 0,
    doubts: why,
    forced: force,
    loadAverage: { start: load, end: loadAverage() },
    machine: machine(),
    libraries: everyone.map(({ name, version, adapter }) => ({ name, version, adapter })),
    race: request.race,
    seed: INITIAL.seed,
    cases: reports,
    peakMemory,
  };
}

/** The toolkit, its other schedules, the peers. */
function entriesOf(one: Case, own: Contestant, peers: readonly Contestant[]): Entry[] {
  const { task } = one;
  return [
    { name: own.name, contestant: own, task },
    ...one.schedules.map((schedule) => ({
      name: `${own.name} ${schedule}`,
      contestant: own,
      task: task.kind === "matmul" ? { ...task, schedule } : task,
    })),
    ...(one.shared ? peers : []).map((contestant) => ({ name: contestant.name, contestant, task })),
  ];
}

/** Against the truth and, for training steps, against the toolkit; which must come first. */
function judge(own: Contestant): (entry: Entry, answers: readonly number[]) => string | null {
  let reference: readonly number[] | null = null;
  return ({ contestant, task }, answers) => {
    if (contestant === own) reference = answers;
    else if (contestant.adapter !== own.adapter) {
      return `computes on ${contestant.adapter}, the toolkit on ${own.adapter}`;
    }
    return problemWith(task, answers) ??
      (task.kind === "gpt step" && reference ? disagreement(answers, reference) : null);
  };
}

function caseReport({ id, title, work }: Case, results: readonly Result[]): CaseReport {
  const [reference] = results;
  return { id, title, work, lines: results.map((result) => line(result, reference, work)) };
}

function line(result: Result, reference: Result, work: Work): Line {
  const { answers: _, ...kept } = result;
  const time = result.problem === null ? spread(result.ms) : null;
  const perSecond = (amount?: number) =>
    time && amount !== undefined ? amount / time.median * 1000 : undefined;
  const giga = (amount?: number) => perSecond(amount === undefined ? amount : amount / 1e9);
  const compared = time !== null && reference.problem === null && result !== reference;
  return {
    ...kept,
    time,
    gflops: giga(work.flops),
    gbps: giga(work.bytes),
    tokensPerSecond: perSecond(work.tokens),
    ratio: compared ? spread(ratios(result.ms, reference.ms)) : null,
    cpuRatio: compared ? spread(ratios(result.cpuMs, reference.cpuMs)) : null,
  };
}
