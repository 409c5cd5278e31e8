/** Compilation is spoken of when it takes long, and not when it does not. */
import { compilationNotes } from "../../../workflows/train/compiling.ts";
import { assertEquals } from "../../assert.ts";

Deno.test("kernels that compile slowly are named, at most once in 0.7 s", () => {
  let now = 0;
  const lines: string[] = [];
  const progress = compilationNotes("pretrain", { note: (line) => lines.push(line) }, () => now);
  for (let i = 0; i < 10; i++, now += 500) progress(`k${i}`, i, 10);
  assertEquals(
    lines,
    [2, 4, 6, 8].map((i) => `pretrain: the driver compiles kernel ${i + 1} of 10 (k${i})`),
  );
});

Deno.test("kernels from the driver's cache are not worth a word", () => {
  const lines: string[] = [];
  const progress = compilationNotes("pretrain", { note: (line) => lines.push(line) }, () => 0);
  for (let i = 0; i < 10; i++) progress(`k${i}`, i, 10);
  assertEquals(lines, []);
});
