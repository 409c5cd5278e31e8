/**
 * A contestant: a library with a stopwatch beside it, in this process or behind a pipe.
 *
 * The stopwatch is where the library is, so that a pipe costs nothing. It reads the processor time of the library's process
 * too: on a software adapter, where the GPU is that process, this says what a step costs on a machine that others use.
 */
import process from "node:process";
import type { Library, Task, Workload } from "./contest.ts";
import { checkedRuns } from "./truth.ts";

/** Time of one or more runs. */
export interface Timing {
  /** Wall clock, milliseconds. */
  readonly ms: number;
  /** Processor time of the process, milliseconds over all threads. */
  readonly cpuMs: number;
  /** Most resident memory the process has had so far, bytes. */
  readonly rss: number;
}

/** What is known of a library. */
export type LibraryFacts = Omit<Library, "open">;

/** A task made ready and run for its answers. */
export interface OpenTask {
  /** Making it ready and the first run: weights, recording, shader compilation, the run itself, its wait. */
  readonly cold: Timing;
  /** All answers, see {@linkcode checkedRuns}. */
  readonly answers: readonly number[];
  /** Runs it `count` times and waits for every result. */
  run(count: number): Promise<Timing>;
  /** Frees it. */
  close(): Promise<void>;
}

/** A timed library. */
export interface Contestant extends LibraryFacts {
  /** Makes a task ready and runs it for its answers. */
  open(task: Task): Promise<OpenTask>;
  /** Ends the library. */
  end(): Promise<void>;
}

/** A library in this process. */
export function localContestant(library: Library, end: () => void = () => {}): Contestant {
  const { open, ...facts } = library;
  return {
    ...facts,
    async open(task) {
      const answers: number[] = [];
      let opened: Workload | undefined;
      const cold = await timed(async () => {
        opened = await open(task);
        answers.push(...await opened.check(1));
      });
      const workload = opened!;
      const more = checkedRuns(task) - 1;
      if (more > 0) answers.push(...await workload.check(more));
      return {
        cold,
        answers,
        run: (count) => timed(() => workload.run(count)),
        close: () => Promise.resolve(workload.close()),
      };
    },
    end: () => Promise.resolve(end()),
  };
}

async function timed(work: () => Promise<void>): Promise<Timing> {
  const before = process.cpuUsage();
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  return { ms, cpuMs: (user + system) / 1000, rss: 1024 * process.resourceUsage().maxRSS };
}
