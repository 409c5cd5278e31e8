/**
 * `environment.json` of a run folder: on what it ran, one entry for each change of it. And when: the wall times of TensorBoard's
 * event files, because `metrics.jsonl` has none.
 */
import { join } from "node:path";
import declared from "../../deno.json" with { type: "json" };
import { writeFileAtomic } from "../files.ts";

/** Where a session ran. */
export interface Environment {
  /** The GPU adapter, as it calls itself. */
  readonly adapter: string;
  /** Version of the toolkit. */
  readonly toolkit: string;
  /** Version of Deno. */
  readonly deno: string;
  /** Operating system and architecture. */
  readonly system: string;
  /** Logical processors; null where that may not be asked. */
  readonly processors: number | null;
}

/** The environment of this process with an adapter. */
export function currentEnvironment(adapter: string): Environment {
  return {
    adapter,
    toolkit: declared.version,
    deno: Deno.version.deno,
    system: `${Deno.build.os} ${Deno.build.arch}`,
    processors: navigator.hardwareConcurrency ?? null,
  };
}

const pathOf = (run: string) => join(run, "environment.json");

/** The environments that a run saw, oldest first; none where the file is absent or broken. */
export async function readEnvironments(run: string): Promise<readonly Environment[]> {
  try {
    return JSON.parse(await Deno.readTextFile(pathOf(run)));
  } catch {
    return [];
  }
}

/**
 * Adds this session's environment to a run folder. One like the last is not added, so that a run that is resumed on the same machine
 * leaves the same bytes as one that was never stopped.
 */
export async function recordEnvironment(run: string, adapter: string): Promise<void> {
  const earlier = await readEnvironments(run);
  const now = currentEnvironment(adapter);
  if (JSON.stringify(earlier.at(-1)) === JSON.stringify(now)) return;
  await writeFileAtomic(pathOf(run), `${JSON.stringify([...earlier, now], null, 1)}\n`);
}

/** A time from the first to the last event of a file, in seconds since 1970. */
export interface Session {
  /** First event. */
  readonly from: number;
  /** Last event. */
  readonly to: number;
}

/** When a run was trained: a session for each event file, oldest first. */
export async function readSessions(run: string): Promise<Session[]> {
  const sessions: Session[] = [];
  for await (const { name, isFile } of Deno.readDir(run)) {
    if (!isFile || !name.startsWith("events.out.tfevents.")) continue;
    const session = eventTimes(await Deno.readFile(join(run, name)));
    if (session) sessions.push(session);
  }
  return sessions.sort((a, b) => a.from - b.from);
}

/** Key of `wall_time`, a double, the first field of an event. */
const WALL_TIME = 0x09;

/** Times of the first and last whole event of a file; null without one. */
export function eventTimes(bytes: Uint8Array): Session | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [from, to] = [Infinity, -Infinity];
  // A record: length (8 bytes), its checksum (4), the event, its checksum (4).
  for (let at = 0; at + 12 <= bytes.length;) {
    const end = at + 12 + Number(view.getBigUint64(at, true)) + 4;
    if (end > bytes.length) break;
    if (bytes[at + 12] === WALL_TIME) {
      const time = view.getFloat64(at + 13, true);
      [from, to] = [Math.min(from, time), Math.max(to, time)];
    }
    at = end;
  }
  return from <= to ? { from, to } : null;
}
