import { InputError } from "../../kernels/errors.ts";
import { firstOf } from "../../workflows/first_of.ts";
import { assertEquals, assertRejects } from "../assert.ts";

const missing = (what: string) => (): number => {
  throw new InputError(`${what}: no such file`);
};

Deno.test("first of several ways: the first that works, and why others did not", async () => {
  const later = () => {
    throw new Error("must not be tried");
  };
  assertEquals(
    await firstOf({ a: missing("pairs"), b: () => Promise.resolve(7), c: later }),
    { name: "b", value: 7, failed: { a: "pairs: no such file" } },
  );
});

Deno.test("first of several ways: all reasons where none works; a bug is not a reason", async () => {
  await assertRejects(
    () => firstOf({ a: missing("pairs"), b: missing("model") }),
    InputError,
    "none of 2 ways works: a: pairs: no such file; b: model: no such file",
  );
  const bug = () => {
    throw new TypeError("bug");
  };
  await assertRejects(() => firstOf<number>({ a: bug, b: () => 1 }), TypeError, "bug");
});
