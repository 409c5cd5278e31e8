/**
 * File helpers of the model code: reads with errors in one line, and JSON.
 */
import { InputError, oneLine } from "../../kernels/errors.ts";
import { fileProblem } from "../files.ts";

/** An operating-system error as one line that names the file; anything else as it is. */
export function fileError(path: string, error: unknown): Error {
  return fileProblem(error, path) ?? error as Error;
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

/**
 * A JSON object from a file. @throws {InputError} when it is missing, not JSON, or not an object.
 */
export async function readJson(path: string): Promise<Record<string, unknown>> {
  const text = await readText(path);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${path}: not valid JSON (${oneLine(error)}); mend it or copy it again`);
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
