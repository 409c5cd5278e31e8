import { assert } from "../assert.ts";
import { assertGradient, functional } from "./differences.ts";
import { layerNorm, layerNormBackward, rmsNorm, rmsNormBackward } from "./norm.ts";
import { relativeError } from "./numbers.ts";
import { randomNormals } from "./random.ts";

const shapes = [[1, 1], [1, 2], [3, 5], [7, 3]];
const eps = 1e-5;

Deno.test("norms: rows known by hand", () => {
  // Mean 2, variance 2/3; mean square 14/3.
  const layer = layerNorm([1, 2, 3], [1, 1, 2], [0, 5, 0], 3, 0);
  assert(relativeError(layer, [-Math.sqrt(1.5), 5, 2 * Math.sqrt(1.5)]) < 1e-15);
  const rms = rmsNorm([1, 2, 3], [1, 1, 2], 3, 0);
  assert(relativeError(rms, [1, 2, 6].map((v) => v * Math.sqrt(3 / 14))) < 1e-15);
});

Deno.test("norms: a constant row stays finite, eps counts where the row is small", () => {
  assert(layerNorm([4, 4, 4], [1, 1, 1], [0, 0, 7], 3, eps)[2] === 7);
  assert(Math.abs(rmsNorm([1e-3, 1e-3], [1, 1], 2, 1e-6)[0] - Math.SQRT1_2) < 1e-12);
});

Deno.test("layerNorm: gradients", () => {
  for (const [rows, width] of shapes) {
    const x = randomNormals(rows * width, 1);
    const [weight, bias] = [randomNormals(width, 2), randomNormals(width, 3)];
    const { d_y, of } = functional(rows * width, 4);
    const f = () => of(layerNorm(x, weight, bias, width, eps));
    const { d_x, d_weight, d_bias } = layerNormBackward(x, weight, d_y, width, eps);
    assertGradient(`[${rows}, ${width}] d_x`, f, x, d_x, 1e-6);
    assertGradient("d_weight", f, weight, d_weight);
    assertGradient("d_bias", f, bias, d_bias);
  }
});

Deno.test("rmsNorm: gradients", () => {
  for (const [rows, width] of shapes) {
    const x = randomNormals(rows * width, 5);
    const weight = randomNormals(width, 6);
    const { d_y, of } = functional(rows * width, 7);
    const f = () => of(rmsNorm(x, weight, width, eps));
    const { d_x, d_weight } = rmsNormBackward(x, weight, d_y, width, eps);
    assertGradient(`[${rows}, ${width}] d_x`, f, x, d_x);
    assertGradient("d_weight", f, weight, d_weight);
  }
});
