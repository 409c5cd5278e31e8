/**
 * The first of several ways that works, for pages that are to run wherever they are opened: with files at hand, with a network, or
 * with neither.
 */
import { InputError, oneLine } from "../kernels/errors.ts";

/** What came of it. */
export interface FirstOf<T> {
  /** The way that worked. */
  readonly name: string;
  /** What it gave. */
  readonly value: T;
  /** Why the ways before it did not, in one line each. */
  readonly failed: Readonly<Record<string, string>>;
}

/**
 * Tries ways in their order. Only an {@linkcode InputError} (no such file, no such name, no network) leads on to the next one.
 *
 * @example
 * ```ts
 * import { firstOf, openDataset } from "@infant/toolkit";
 *
 * const { name, value, failed } = await firstOf({
 *   "a file": async () => (await openDataset("pairs.jsonl").then((set) => set.head(1)))[0].values,
 *   "this program": () => ({ prompt: "how ?", chosen: "so .", rejected: "no ." }),
 * });
 * console.log(name, value.chosen, failed); // this program so . { "a file": ... }
 * ```
 * @throws {InputError} with every reason when none works; whatever else a way throws.
 */
export async function firstOf<T>(
  ways: Readonly<Record<string, () => T | Promise<T>>>,
): Promise<FirstOf<T>> {
  const failed: Record<string, string> = {};
  for (const [name, way] of Object.entries(ways)) {
    try {
      return { name, value: await way(), failed };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      failed[name] = oneLine(error);
    }
  }
  const reasons = Object.entries(failed).map(([name, reason]) => `${name}: ${reason}`);
  throw new InputError(`none of ${reasons.length} ways works: ${reasons.join("; ")}`);
}
