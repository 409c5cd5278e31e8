import { assertEquals } from "../assert.ts";
import { assertGradient, functional } from "./differences.ts";
import { embed, embedBackward } from "./embedding.ts";
import { randomNormals } from "./random.ts";

Deno.test("embedding: gathers rows", () => {
  assertEquals([...embed([1, 2, 3, 4, 5, 6], [2, 0, 2], 2)], [5, 6, 1, 2, 5, 6]);
});

Deno.test("embedding: gradients add up over repeated ids, unused rows get none", () => {
  const ids = [4, 1, 4, 4, 0];
  const table = randomNormals(7 * 3, 1);
  const { d_y, of } = functional(ids.length * 3, 2);
  const d_table = embedBackward(ids, d_y, 7, 3);
  assertGradient("d_table", () => of(embed(table, ids, 3)), table, d_table);
  assertEquals([...d_table.subarray(15)], [0, 0, 0, 0, 0, 0]);
});
