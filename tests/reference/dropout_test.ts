import { assert, assertEquals } from "../assert.ts";
import { assertGradient, functional } from "./differences.ts";
import { dropout, dropoutBackward } from "./dropout.ts";
import { randomNormals, randomUniform } from "./random.ts";

const options = { p: 0.3, seed: 4, stream: 2 };

Deno.test("dropout: keeps an element iff its uniform number is at least p, scaled by 1/(1-p)", () => {
  const x = randomNormals(50, 1);
  const y = dropout(x, options);
  x.forEach((value, i) => assertEquals(y[i], randomUniform(4, 2, i) >= 0.3 ? value / 0.7 : 0));
  assertEquals(dropout(x, { ...options, p: 0 }), x);
});

Deno.test("dropout: drops a share p, another share with another stream, keeps the mean", () => {
  const n = 20_000;
  const ones = new Float64Array(n).fill(1);
  const y = dropout(ones, options);
  const dropped = y.filter((value) => value === 0).length / n;
  assert(Math.abs(dropped - 0.3) < 5 * Math.sqrt(0.3 * 0.7 / n), `${dropped}`);
  const other = dropout(ones, { ...options, stream: 3 });
  const both = y.filter((value, i) => value === 0 && other[i] === 0).length / n;
  assert(Math.abs(both - 0.09) < 5 * Math.sqrt(0.09 * 0.91 / n), `${both}`);
});

Deno.test("dropout: gradients", () => {
  const x = randomNormals(20, 3);
  const { d_y, of } = functional(20, 4);
  assertGradient("d_x", () => of(dropout(x, options)), x, dropoutBackward(d_y, options));
});
