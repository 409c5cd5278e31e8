/**
 * Assertions by the declared package `@std/assert` where JSR can be reached, by `node:assert` elsewhere.
 * See `workflows/deps/yaml.ts` for why the specifier is not a literal.
 */
import nodeAssert from "node:assert/strict";

interface Assert {
  assert(condition: unknown, message?: string): asserts condition;
  assertEquals<T>(actual: T, expected: T, message?: string): void;
  assertAlmostEquals(actual: number, expected: number, tolerance?: number, message?: string): void;
  assertThrows(run: () => unknown, kind?: unknown, includes?: string): Error;
  assertRejects(run: () => Promise<unknown>, kind?: unknown, includes?: string): Promise<Error>;
}

// deno-lint-ignore no-explicit-any
function checkError(error: any, kind: any, includes?: string): Error {
  if (kind) nodeAssert.ok(error instanceof kind, `expected ${kind.name}, got ${error}`);
  if (includes) {
    nodeAssert.ok(
      String(error.message).includes(includes),
      `"${error.message}" lacks "${includes}"`,
    );
  }
  return error;
}

const fallback: Assert = {
  assert(condition, message): asserts condition {
    nodeAssert.ok(condition, message as string);
  },
  assertEquals(actual, expected, message) {
    nodeAssert.deepStrictEqual(actual, expected, message as string);
  },
  assertAlmostEquals(actual, expected, tolerance = 1e-7, message) {
    const ok = Math.abs(actual - expected) <= tolerance;
    nodeAssert.ok(ok, message ?? `${actual} is not within ${tolerance} of ${expected}`);
  },
  assertThrows(run, kind, includes) {
    try {
      run();
    } catch (error) {
      return checkError(error, kind, includes);
    }
    throw new nodeAssert.AssertionError({ message: "expected an exception, none was thrown" });
  },
  async assertRejects(run, kind, includes) {
    try {
      await run();
    } catch (error) {
      return checkError(error, kind, includes);
    }
    throw new nodeAssert.AssertionError({ message: "expected a rejection, there was none" });
  },
};

const declared: string = "@std/assert";
const loaded: Assert = await import(declared).catch(() => fallback);

export const assert: Assert["assert"] = loaded.assert;
export const assertEquals: Assert["assertEquals"] = loaded.assertEquals;
export const assertAlmostEquals: Assert["assertAlmostEquals"] = loaded.assertAlmostEquals;
export const assertThrows: Assert["assertThrows"] = loaded.assertThrows;
export const assertRejects: Assert["assertRejects"] = loaded.assertRejects;
/** Which package does the work. */
export const source: string = loaded === fallback ? "node:assert" : "jsr:@std/assert";
