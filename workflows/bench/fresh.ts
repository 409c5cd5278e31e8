/**
 * The first step of a fresh process: with no compiled shader on the disk, then with those that the first process left; and the
 * most memory such a process needs.
 */
import { join } from "node:path";
import type { Task } from "./contest.ts";
import type { Contestant } from "./contestant.ts";

/** Where drivers keep compiled shaders: Mesa's, NVIDIA's. */
const CACHE_VARIABLES = ["MESA_SHADER_CACHE_DIR", "__GL_SHADER_DISK_CACHE_PATH"] as const;

/** Two fresh processes, one after the other. */
export interface FreshStart {
  /** Milliseconds from the loaded library to the end of its first step, with an empty shader cache. */
  readonly coldMs: number;
  /** Processor time of that. */
  readonly coldCpuMs: number;
  /** The same in a second process, with the first one's cache. */
  readonly warmMs: number;
  /** Most resident memory of the second process over its first steps, bytes: it has compiled nothing. */
  readonly peakMemory: number;
  /** Bytes that the driver left in the cache; 0 where it keeps none there, and then nothing says that the start was cold. */
  readonly shaderBytes: number;
}

/** Starts a contestant with these variables. */
export type Starter = (env: Readonly<Record<string, string>>) => Promise<Contestant>;

/** Measures a task's first run in two fresh processes. */
export async function freshStart(start: Starter, task: Task): Promise<FreshStart> {
  const cache = await Deno.makeTempDir({ prefix: "infant-shaders-" });
  const env = Object.fromEntries(CACHE_VARIABLES.map((name) => [name, cache]));
  try {
    const cold = await firstRun(start, env, task);
    const shaderBytes = await folderBytes(cache);
    const warm = await firstRun(start, env, task);
    return {
      coldMs: cold.ms,
      coldCpuMs: cold.cpuMs,
      warmMs: warm.ms,
      peakMemory: warm.peak,
      shaderBytes,
    };
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
}

async function firstRun(
  start: Starter,
  env: Readonly<Record<string, string>>,
  task: Task,
): Promise<{ ms: number; cpuMs: number; peak: number }> {
  const contestant = await start(env);
  try {
    const open = await contestant.open(task);
    const { rss } = await open.run(1);
    return { ...open.cold, peak: rss };
  } finally {
    await contestant.end();
  }
}

async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    bytes += entry.isDirectory ? await folderBytes(path) : (await Deno.stat(path)).size;
  }
  return bytes;
}
