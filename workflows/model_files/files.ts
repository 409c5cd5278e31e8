/**
 * Small file helpers of the model code: errors in one line, JSON, and writes that are whole or not at all.
 */
import { InputError } from "../../kernels/errors.ts";

/** Turns an operating-system error into one line that names the file. */
export function fileError(path: string, error: unknown): Error {
  if (error instanceof Deno.errors.NotFound) return new InputError(`${path}: no such file`);
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
    return new InputError(`${path}: not permitted (${error.message.split("\n")[0]})`);
  }
  if (error instanceof Deno.errors.IsADirectory) {
    return new InputError(`${path}: is a folder, a file was expected`);
  }
  return error as Error;
}

/** Whether there is a file (not a folder) at this path. */
export async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isFile, () => false);
}

/** The bytes of a file. @throws {InputError} when it cannot be read. */
export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return await Deno.readFile(path).catch((error) => {
    throw fileError(path, error);
  });
}

/** The text of a file. @throws {InputError} when it cannot be read. */
export async function readText(path: string): Promise<string> {
  return await Deno.readTextFile(path).catch((error) => {
    throw fileError(path, error);
  });
}

/** A JSON object from a file. @throws {InputError} when it is missing, not JSON, or not an object. */
export async function readJson(path: string): Promise<Record<string, unknown>> {
  const text = await readText(path);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${path}: not valid JSON (${(error as Error).message.split("\n")[0]})`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InputError(`${path}: expected a JSON object`);
  }
  return value as Record<string, unknown>;
}

/** JSON as the model files of the field are written: two spaces, a newline at the end. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, null, 2) + "\n";
}

/** Runs `write` on a temporary path beside `path`, then renames: the file is whole or not there. */
export async function writeWhole(
  path: string,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    await write(temporary);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
    if (error instanceof Deno.errors.NotFound) {
      throw new InputError(`${path}: cannot be written, its folder does not exist`);
    }
    throw fileError(path, error);
  }
}
