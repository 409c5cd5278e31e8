import { assert, assertEquals } from "../assert.ts";
import {
  activate,
  activateBackward,
  type Activation,
  swiglu,
  swigluBackward,
} from "./activation.ts";
import { assertGradient, functional } from "./differences.ts";
import { erf, erfc } from "./erf.ts";
import { randomNormals } from "./random.ts";

/** x, erf(x), erfc(x) with 40-digit arithmetic. */
const known = [
  [1e-8, 1.1283791670955125599e-8, 0.99999998871620832904],
  [0.1, 0.1124629160182848984, 0.8875370839817151016],
  [0.5, 0.52049987781304653768, 0.47950012218695346232],
  [1.0, 0.84270079294971486934, 0.15729920705028513066],
  [1.5, 0.96610514647531072707, 0.033894853524689272933],
  [1.99, 0.99511141319961699705, 0.0048885868003830029527],
  [2.0, 0.99532226501895273416, 0.0046777349810472658379],
  [2.5, 0.99959304798255504106, 0.00040695201744495893956],
  [3.5, 0.99999925690162765859, 7.4309837234141274552e-7],
  [5.0, 0.99999999999846254021, 1.5374597944280348502e-12],
  [8.0, 1.0, 1.122429717298292708e-29],
  [20.0, 1.0, 5.3958656116079009289e-176],
];

Deno.test("erf: known values, odd symmetry, both ends", () => {
  for (const [x, value, complement] of known) {
    assert(Math.abs(erf(x) / value - 1) < 1e-15, `erf(${x}) = ${erf(x)}, not ${value}`);
    assertEquals(erf(-x), -erf(x));
    const error = Math.abs(erfc(x) / complement - 1);
    // Below 2 erfc is 1 - erf: absolute 1e-16, so relatively worse the smaller it is.
    assert(error < 1e-15 + 2e-16 / complement || x >= 2 && error < 5e-14, `erfc(${x}): ${error}`);
    assert(Math.abs(erfc(-x) - (2 - complement)) < 1e-15);
  }
  assertEquals([erf(0), erf(Infinity), erf(-Infinity)], [0, 1, -1]);
  assertEquals([erfc(0), erfc(Infinity), erfc(-Infinity)], [1, 0, 2]);
});

const kinds: Activation[] = ["none", "gelu_tanh", "gelu_erf", "silu"];

Deno.test("activations: derivatives, from deep in one tail to deep in the other", () => {
  const x = Float64Array.from([-12, -5, -2.5, -1, -0.1, 0, 0.3, 1, 2, 2.9, 6, 12]);
  for (const kind of kinds) {
    const { d_y, of } = functional(x.length, 1);
    assertGradient(kind, () => of(activate(kind, x)), x, activateBackward(kind, x, d_y), 1e-8);
  }
});

Deno.test("activations: values known by hand and no NaN at the extremes", () => {
  assert(Math.abs(activate("gelu_erf", [1])[0] - 0.8413447460685429) < 1e-15);
  assert(Math.abs(activate("gelu_tanh", [1])[0] - 0.8411919906082768) < 1e-15);
  assert(Math.abs(activate("silu", [1])[0] - 0.7310585786300049) < 1e-15);
  for (const kind of kinds) {
    for (const x of [-1e4, 1e4]) {
      const expected = kind === "none" || x > 0 ? x : 0;
      assert(activate(kind, [x])[0] === expected, `${kind}(${x})`);
      assert(Number.isFinite(activateBackward(kind, [x], [1])[0]), `${kind}'(${x})`);
    }
  }
});

Deno.test("swiglu: the gate is the first half of a row; gradients", () => {
  assertEquals([...swiglu([1e3, 0, 2, 3], 2)], [2e3, 0]);
  for (const [rows, width] of [[1, 1], [2, 3], [5, 7]]) {
    const x = randomNormals(2 * rows * width, 2);
    const { d_y, of } = functional(rows * width, 3);
    assertGradient("swiglu", () => of(swiglu(x, width)), x, swigluBackward(x, d_y, width));
  }
});
