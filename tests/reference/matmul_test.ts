import { assert, assertEquals } from "../assert.ts";
import type { Activation } from "./activation.ts";
import { assertGradient, functional } from "./differences.ts";
import {
  batchedMatmul,
  type Layout,
  linear,
  linearBackward,
  matmul,
  matmulBackward,
} from "./matmul.ts";
import { randomNormals } from "./random.ts";
import { relativeError } from "./numbers.ts";

const shapes = [[1, 1, 1], [1, 5, 3], [3, 1, 7], [5, 7, 1], [4, 6, 5]];
const layouts: Layout[] = ["NN", "NT", "TN"];

function transpose(a: Float64Array, rows: number, columns: number): Float64Array {
  return a.map((_, i) => a[(i % rows) * columns + Math.floor(i / rows)]);
}

Deno.test("matmul: a product known by hand", () => {
  const a = [1, 2, 3, 4, 5, 6];
  const b = [7, 8, 9, 10, 11, 12];
  assertEquals([...matmul(a, b, { m: 2, n: 2, k: 3 }, "NN")], [58, 64, 139, 154]);
});

Deno.test("matmul: NT and TN are NN of the transposed operand", () => {
  for (const [m, n, k] of shapes) {
    const a = randomNormals(m * k, 1);
    const b = randomNormals(k * n, 2);
    const c = matmul(a, b, { m, n, k }, "NN");
    assertEquals(matmul(a, transpose(b, k, n), { m, n, k }, "NT"), c);
    assertEquals(matmul(transpose(a, m, k), b, { m, n, k }, "TN"), c);
  }
});

Deno.test("matmul: gradients of all layouts", () => {
  for (const layout of layouts) {
    for (const [m, n, k] of shapes) {
      const a = randomNormals(m * k, 3);
      const b = randomNormals(k * n, 4);
      const { d_y, of } = functional(m * n, 5);
      const { d_a, d_b } = matmulBackward(a, b, d_y, { m, n, k }, layout);
      const f = () => of(matmul(a, b, { m, n, k }, layout));
      assertGradient(`${layout} d_a`, f, a, d_a);
      assertGradient(`${layout} d_b`, f, b, d_b);
    }
  }
});

Deno.test("matmul: a batch is its products one by one", () => {
  const shape = { m: 2, n: 3, k: 5 };
  const a = randomNormals(3 * 10, 6);
  const b = randomNormals(3 * 15, 7);
  const c = batchedMatmul(a, b, shape, "NT", 3);
  const last = matmul(a.subarray(20), b.subarray(30), shape, "NT");
  assertEquals(c.slice(12), last);
  assertEquals(c.length, 18);
});

Deno.test("linear: gradients with and without bias, with every epilogue", () => {
  const shape = { rows: 3, inner: 5, out: 7 };
  const activations: Activation[] = ["none", "gelu_tanh", "gelu_erf", "silu"];
  for (const activation of activations) {
    for (const bias of [randomNormals(7, 8), null]) {
      const x = randomNormals(15, 9);
      const weight = randomNormals(35, 10);
      const { d_y, of } = functional(21, 11);
      const f = () => of(linear(x, weight, bias, shape, activation));
      const { d_x, d_weight, d_bias } = linearBackward(x, weight, bias, d_y, shape, activation);
      assertGradient(`${activation} d_x`, f, x, d_x);
      assertGradient(`${activation} d_weight`, f, weight, d_weight);
      if (bias) assertGradient(`${activation} d_bias`, f, bias, d_bias);
    }
  }
});

Deno.test("linear: reads float32 as well", () => {
  const x = new Float32Array(randomNormals(6, 12));
  const weight = new Float32Array(randomNormals(6, 13));
  const y = linear(x, weight, null, { rows: 2, inner: 3, out: 2 });
  assert(
    relativeError(y.slice(0, 1), [x[0] * weight[0] + x[1] * weight[1] + x[2] * weight[2]]) < 1e-15,
  );
});
