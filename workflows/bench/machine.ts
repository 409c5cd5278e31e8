/**
 * The machine and its load: a number measured on a busy machine says more about the others on it.
 */
import { cpus, release, totalmem } from "node:os";

/** Load average above which a run is not to be quoted. */
export const MAX_LOAD = 2;

/** What a reader of the numbers must know about where they come from. */
export interface Machine {
  /** System, release, architecture. */
  readonly os: string;
  /** Number and model of processors. */
  readonly cpu: string;
  /** Memory of the machine. */
  readonly memoryBytes: number;
  /** Version of Deno. */
  readonly deno: string;
}

/** This machine. */
export function machine(): Machine {
  const processors = cpus();
  return {
    os: `${Deno.build.os} ${release()} ${Deno.build.arch}`,
    cpu: `${processors.length} x ${processors[0]?.model ?? "unknown"}`,
    memoryBytes: totalmem(),
    deno: Deno.version.deno,
  };
}

/** Average number of runnable threads over the last minute; 0 where the system does not tell (Windows). */
export function loadAverage(): number {
  return Deno.loadavg()[0];
}

/** Why a run's numbers are not to be quoted; empty when they may be. */
export function doubts(load: number, quick: boolean, force: boolean): string[] {
  const noisy = load > MAX_LOAD && !force;
  return [
    ...(noisy
      ? [`the load average was ${load.toFixed(1)} at the start, at most ${MAX_LOAD} is quiet`]
      : []),
    ...(quick ? ["--quick takes small sizes and few rounds"] : []),
  ];
}
