import { assert } from "../assert.ts";
import { assertGradient, functional } from "./differences.ts";
import { type Lora, lora, loraBackward, mergeLora } from "./lora.ts";
import { linear } from "./matmul.ts";
import { relativeError } from "./numbers.ts";
import { randomNormals } from "./random.ts";

const adapter: Lora = {
  name: "q",
  parameter: "attention.weight",
  rowStart: 2,
  rowCount: 3,
  rank: 2,
  scaling: 1.5,
  a: randomNormals(2 * 5, 1),
  b: randomNormals(3 * 2, 2),
};
const x = randomNormals(4 * 5, 3);

Deno.test("lora: gradients of x, A and B", () => {
  const { d_y, of } = functional(12, 4);
  const f = () => of(lora(adapter, x, 4));
  const { d_x, d_a, d_b } = loraBackward(adapter, x, d_y, 4);
  assertGradient("d_x", f, x, d_x);
  assertGradient("d_a", f, adapter.a, d_a);
  assertGradient("d_b", f, adapter.b, d_b);
});

Deno.test("lora: merged weights give the same rows and leave the others alone", () => {
  const weight = randomNormals(7 * 5, 5);
  const shape = { rows: 4, inner: 5, out: 7 };
  const base = linear(x, weight, null, shape);
  const merged = linear(x, mergeLora(adapter, weight), null, shape);
  const added = lora(adapter, x, 4);
  const expected = base.map((value, i) => {
    const [token, row] = [Math.floor(i / 7), i % 7];
    return row >= 2 && row < 5 ? value + added[token * 3 + row - 2] : value;
  });
  assert(relativeError(merged, expected) < 1e-14);
});
