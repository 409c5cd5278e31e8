/**
 * A whole benchmark: every case, all contestants, one report.
 */
import { oneLine } from "../../kernels/errors.ts";
import type { Case, Work } from "./cases.ts";
import type { Contestant } from "./contestant.ts";
import { INITIAL } from "./contest.ts";
import { type FreshStart, freshStart, type Starter } from "./fresh.ts";
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
import { disagreement, problemWith } from "./truth.ts";

/** What to measure. */
export interface BenchRequest {
  /** The toolkit; the caller ends it. */
  readonly own: Contestant;
  /** The toolkit's adapter computes on the processor: rates per core are known, and native peers are fair. */
  readonly software: boolean;
  /** In this order. */
  readonly cases: readonly Case[];
  /** Contestants beside the toolkit; the caller ends them. */
  readonly peers: readonly Contestant[];
  /** Starts anyone of these afresh; null leaves fresh processes out. */
  readonly fresh: ((name: string) => Starter) | null;
  /** Fresh processes alone, without interleaved rounds. */
  readonly onlyFresh: boolean;
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
  /** The same per second of processor time: what one core does, however many others use the machine. */
  readonly gflopsPerCore?: number;
  /** 1e9 bytes per second. */
  readonly gbps?: number;
  /**
   * Share of the toolkit's roof measured in this run, arithmetic or copy. A native library may be above it: its processor multiplies
   * and adds in one instruction, WGSL on a software adapter does not.
   */
  readonly share?: number;
  /** Tokens per second. */
  readonly tokensPerSecond?: number;
  /** Its time over the toolkit's, round by round. */
  readonly ratio: Spread | null;
  /** The same for processor time. */
  readonly cpuRatio: Spread | null;
}

/** One contestant's fresh processes, over the rounds. */
export interface FreshLine {
  /** The contestant. */
  readonly name: string;
  /** Why there are none; null when all is well. */
  readonly problem: string | null;
  /** Milliseconds to the end of the first step, shaders not compiled. */
  readonly cold: Spread | null;
  /** The same with shaders from the driver's cache. */
  readonly warm: Spread | null;
  /** Each start. */
  readonly starts: readonly FreshStart[];
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
  /** Fresh processes, for cases that are measured so. */
  readonly fresh: readonly FreshLine[];
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
  const { own, cases, peers, quick, force, note } = request;
  const everyone = [own, ...peers];
  const waits = new Map<Contestant, number>();
  const reports: CaseReport[] = [];
  const peakMemory: Record<string, number> = {};
  const roofs: Roofs = {};
  for (const one of cases) {
    note(one.title);
    if (request.onlyFresh) {
      reports.push({ ...head(one), lines: [], fresh: await freshLines(one, request) });
      continue;
    }
    const entries = entriesOf(one, own, peers);
    const results = await race(
      entries,
      one.task.kind === "wait" ? { ...request.race, targetMs: 0 } : request.race,
      judge(request),
      // Whoever asks for text or a Fisher diagonal waits for it: there the wait belongs to the time.
      (contestant) => WAITED_FOR.has(one.task.kind) ? 0 : waits.get(contestant) ?? 0,
    );
    results.forEach(({ ms, rss, problem, name }, i) => {
      const { contestant } = entries[i];
      if (one.task.kind === "wait" && problem === null) waits.set(contestant, spread(ms).median);
      peakMemory[contestant.name] = Math.max(peakMemory[contestant.name] ?? 0, rss);
      if (problem !== null) note(`  ${name}: ${problem}`);
    });
    const reference = results[0];
    const lines = results.map((result) =>
      line(result, reference, one.work, roofs, request.software)
    );
    const [{ gflops, gflopsPerCore, gbps }] = lines;
    if (one.id === "roof-arithmetic") Object.assign(roofs, { gflops, gflopsPerCore });
    if (one.id === "roof-copy") roofs.gbps = gbps;
    reports.push({ ...head(one), lines, fresh: await freshLines(one, request) });
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
    ...one.variants.map(({ label, task }) => ({
      name: `${own.name} ${label}`,
      contestant: own,
      task,
    })),
    ...peers.filter(({ name }) => one.peers.includes(name))
      .map((contestant) => ({ name: contestant.name, contestant, task })),
  ];
}

/** Two fresh processes for each contestant and round, everyone in turn. */
async function freshLines(one: Case, request: BenchRequest): Promise<FreshLine[]> {
  const { own, peers, race: { rounds }, software, onlyFresh, note } = request;
  if (!one.fresh || !request.fresh) return [];
  const names = [own, ...peers].map(({ name }) => name)
    .filter((name) => name === own.name || one.peers.includes(name));
  const starts = new Map<string, FreshStart[]>(names.map((name) => [name, []]));
  const problems = new Map<string, string>();
  for (let round = 0; round < (onlyFresh ? rounds : 1); round++) {
    for (const name of names.filter((name) => !problems.has(name))) {
      note(`  fresh process: ${name}`);
      const start = await freshStart(request.fresh(name), one.task).catch((error) =>
        oneLine(error)
      );
      if (typeof start === "string") problems.set(name, start);
      else if (name === own.name && software && start.shaderBytes === 0) {
        problems.set(
          name,
          "the driver kept no shader in its cache: nothing shows that the start was cold",
        );
      } else starts.get(name)!.push(start);
    }
  }
  return names.map((name) => {
    const all = starts.get(name)!;
    const problem = problems.get(name) ?? null;
    const over = (key: "coldMs" | "warmMs") =>
      problem === null ? spread(all.map((start) => start[key])) : null;
    return { name, problem, cold: over("coldMs"), warm: over("warmMs"), starts: all };
  });
}

/** Against the truth and, where there is none, against the toolkit's own choice, which comes first. */
function judge(
  { own, software }: BenchRequest,
): (entry: Entry, answers: readonly number[]) => string | null {
  let reference: readonly number[] | null = null;
  return ({ contestant, task }, answers) => {
    const elsewhere = contestant.native ? !software : contestant.adapter !== own.adapter;
    if (elsewhere) return `computes on ${contestant.adapter}, the toolkit on ${own.adapter}`;
    reference ??= answers;
    return problemWith(task, answers) ?? disagreement(task, answers, reference);
  };
}

/** What the roofs came out at, once they were measured. */
interface Roofs {
  gflops?: number;
  gflopsPerCore?: number;
  gbps?: number;
}

/** Cases whose result is waited for by whoever asks for it. */
const WAITED_FOR: ReadonlySet<string> = new Set(["generate", "stories", "fisher"]);

const head = ({ id, title, work }: Case) => ({ id, title, work });

function line(
  result: Result,
  reference: Result,
  work: Work,
  roofs: Roofs,
  onProcessor: boolean,
): Line {
  const { answers: _, ...kept } = result;
  const time = result.problem === null ? spread(result.ms) : null;
  const perSecond = (amount?: number) =>
    time && amount !== undefined ? amount / time.median * 1000 : undefined;
  const giga = (amount?: number) => perSecond(amount === undefined ? amount : amount / 1e9);
  const gflops = giga(work.flops);
  const gbps = giga(work.bytes);
  const gflopsPerCore = time && onProcessor && work.flops
    ? work.flops / 1e6 / spread(result.cpuMs).median
    : undefined;
  const ofRoof = (rate?: number, roof?: number) => rate && roof ? rate / roof : undefined;
  const compared = time !== null && reference.problem === null && result !== reference;
  return {
    ...kept,
    time,
    gflops,
    gflopsPerCore,
    gbps,
    // Core against core where that is known: it holds on a machine that others use, too.
    share: ofRoof(gflopsPerCore, roofs.gflopsPerCore) ?? ofRoof(gflops, roofs.gflops) ??
      ofRoof(gbps, roofs.gbps),
    tokensPerSecond: perSecond(work.tokens),
    ratio: compared ? spread(ratios(result.ms, reference.ms)) : null,
    cpuRatio: compared ? spread(ratios(result.cpuMs, reference.cpuMs)) : null,
  };
}
