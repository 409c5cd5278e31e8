/**
 * Files that are whole or absent.
 *
 * Everything is written to a temporary name in the same folder and renamed, so that a crash, a full disk or a
 * second reader never meets half a file. The operating system's complaints become one line of advice.
 */
import { basename, dirname, join } from "node:path";
import { InputError } from "../kernels/errors.ts";

/** What each error code of the operating system means to the person at the keyboard. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: "does not exist: check the path",
  EACCES: "may not be read or written by this user: change its permissions or name another path",
  EPERM: "may not be changed by this user: change its permissions or name another path",
  EEXIST: "cannot be made, a file is in the way: remove it or name another path",
  ENOTDIR: "runs through a file where a folder is needed: name another path",
  EISDIR: "is a folder where a file is needed: name a file",
  ELOOP: "is a link that leads back to itself: name another path",
  ENAMETOOLONG: "is too long a name for this file system: name a shorter path",
  EROFS: "is on a read-only file system: name another path",
  ENOSPC: "cannot be written, the disk is full: free some space or name another path",
  EDQUOT: "cannot be written, your disk quota is used up: free some space or name another path",
  EFBIG: "is larger than this file system allows: name another path",
};

/**
 * Translates a failed file operation into one line for the user; null when `error` is something else.
 * `path` is named where Deno's own message names none (a write to an open file).
 */
export function fileProblem(error: unknown, path?: string): InputError | null {
  if (error instanceof Deno.errors.NotCapable) {
    return new InputError(`Deno was started with too few permissions: ${error.message}`);
  }
  if (!(error instanceof Error)) return null;
  const advice = ADVICE[(error as Error & { code?: string }).code ?? ""];
  const named = / '([^']*)'(?: -> '([^']*)')?$/.exec(error.message);
  const subject = path ?? named?.[1];
  if (!advice || subject === undefined) return null;
  return new InputError(`${subject} ${advice}`, { cause: error });
}

/** An error about what stands in a file, with `where` put in front; anything else as it is. */
export function errorIn(where: string, error: unknown): unknown {
  return error instanceof InputError ? new InputError(`${where}: ${error.message}`) : error;
}

/** Runs a file operation; a refusal by the operating system is thrown as an {@linkcode InputError}. */
async function naming<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw fileProblem(error, path) ?? error;
  }
}

/** The temporary name beside `path`; `.gitignore` knows the ending. */
function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${crypto.randomUUID().slice(0, 8)}.tmp`);
}

/** Writes all bytes; a single `write` may stop early. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}

/**
 * Lets `fill` write a file piece by piece, so that a large one needs no copy in memory; `path` then holds
 * either its old content or all of the new, also after a power cut. Its folder must be there.
 * @throws {InputError} when the operating system refuses; whatever `fill` throws.
 */
export async function writeWhole(
  path: string,
  fill: (file: Deno.FsFile) => Promise<void>,
): Promise<void> {
  await naming(path, async () => {
    const temporary = temporaryName(path);
    try {
      {
        using file = await Deno.open(temporary, { write: true, createNew: true });
        await fill(file);
        await file.sync();
      }
      await Deno.rename(temporary, path);
    } catch (error) {
      await Deno.remove(temporary).catch(() => {});
      throw error;
    }
  });
}

/**
 * Writes a file so that `path` holds either its old content or all of `data`, also after a power cut.
 * Missing folders are made.
 * @throws {InputError} when the operating system refuses (full disk, permissions, a folder in the way).
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  await naming(path, () => Deno.mkdir(dirname(path), { recursive: true }));
  await writeWhole(path, (file) => writeAll(file, bytes));
}

/**
 * Fills a new folder under a temporary name, then puts it in the place of `folder`. When `fill` throws,
 * nothing is left behind and an older `folder` stays as it was.
 * @throws {InputError} when the operating system refuses; whatever `fill` throws.
 */
export async function writeFolderAtomic(
  folder: string,
  fill: (temporary: string) => void | Promise<void>,
): Promise<void> {
  const temporary = temporaryName(folder);
  await naming(folder, () => Deno.mkdir(temporary, { recursive: true }));
  try {
    await fill(temporary);
    await naming(folder, () => replaceFolder(temporary, folder));
  } catch (error) {
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
    throw error;
  }
}

/** A folder that is not empty cannot be renamed over, so the old one steps aside first. */
async function replaceFolder(from: string, to: string): Promise<void> {
  const old = temporaryName(to);
  const existed = await Deno.rename(to, old).then(() => true, (error) => {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  });
  try {
    await Deno.rename(from, to);
  } catch (error) {
    if (existed) await Deno.rename(old, to);
    throw error;
  }
  if (existed) await Deno.remove(old, { recursive: true });
}

/** A terminal sends Ctrl-C to the whole process group and a parent may pass its own copy on: one press, two signals. */
const SAME_PRESS_MS = 500;

/**
 * Calls `stop` once on the first Ctrl-C or SIGTERM, so that a run can save and end by itself; a second press
 * ends the process at once with code 130. Disposing takes the listeners off.
 */
export function onInterrupt(stop: (signal: Deno.Signal) => void): Disposable {
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  let asked: number | null = null;
  const listeners = signals.map((signal) => {
    const listener = () => {
      if (asked === null) {
        asked = performance.now();
        stop(signal);
      } else if (performance.now() - asked > SAME_PRESS_MS) Deno.exit(130);
    };
    Deno.addSignalListener(signal, listener);
    return { signal, listener };
  });
  return {
    [Symbol.dispose]() {
      for (const { signal, listener } of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}
