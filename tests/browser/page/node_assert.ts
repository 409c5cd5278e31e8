/**
 * The part of `node:assert/strict` that tests/assert.ts uses, for a web page, which has no Node modules.
 */

/** A failed assertion. */
class AssertionError extends Error {
  constructor({ message }: { message: string }) {
    super(message);
    this.name = "AssertionError";
  }
}

function ok(condition: unknown, message = "the condition does not hold"): void {
  if (!condition) throw new AssertionError({ message });
}

/** Same type and same own values all the way down; NaN equals NaN and -0 differs from 0. */
function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Map || a instanceof Set) {
    return same([...a], [...b as Iterable<unknown>]);
  }
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same(Reflect.get(a, key), Reflect.get(b, key)));
}

function deepStrictEqual(actual: unknown, expected: unknown, message?: string): void {
  if (same(actual, expected)) return;
  const text = (value: unknown) => String(JSON.stringify(value)).slice(0, 1000);
  throw new AssertionError({ message: message ?? `${text(actual)} is not ${text(expected)}` });
}

export default { AssertionError, ok, deepStrictEqual };
