/**
 * The two ways this toolkit says no.
 *
 * `InputError` is the user's to mend (a file, an option, a shape): commands print its one line and
 * exit with code 2. `DeviceError` is the adapter's or ours: exit code 1. Any other exception is a bug.
 */

/** Bad input: one line that names the thing, what was expected, what was found and what to do. */
export class InputError extends Error {
  /** Tells it from other errors. */
  override readonly name = "InputError";
}

/** The GPU refused or was lost; the message names the kernel when it is known. */
export class DeviceError extends Error {
  /** Tells it from other errors. */
  override readonly name = "DeviceError";
}

/** Folds an error of any library into one line of at most `most` characters. */
export function oneLine(error: unknown, most = 160): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, " ").trim().slice(0, most);
}
