import { assert, assertEquals } from "../assert.ts";
import fc from "fast-check";
import { relativeError } from "./numbers.ts";
import {
  adamwState,
  adamwStep,
  clipByGlobalNorm,
  clipFactor,
  globalNorm,
  sgdState,
  sgdStep,
  type Tensors,
} from "./optimizer.ts";
import { randomNormals } from "./random.ts";

const single = (value: number): Tensors => new Map([["w", Float64Array.of(value)]]);
const decays = () => true;

Deno.test("adamw: two steps by hand, and decay only where it belongs", () => {
  const options = { lr: 0.1, betas: [0.5, 0.75], eps: 0, weightDecay: 0.5, decays } as const;
  const theta = single(2);
  const state = adamwState(theta);
  adamwStep(theta, single(3), state, options);
  // The first step moves by lr * sign(g), whatever g is.
  assert(Math.abs(theta.get("w")![0] - (2 * 0.95 - 0.1)) < 1e-15);
  adamwStep(theta, single(1), state, options);
  const [m, v] = [(0.5 * 1.5 + 0.5) / 0.75, (0.75 * 2.25 + 0.25) / (1 - 0.5625)];
  assert(Math.abs(theta.get("w")![0] - (1.8 * 0.95 - 0.1 * m / Math.sqrt(v))) < 1e-15);
  const free = single(2);
  adamwStep(free, single(3), adamwState(free), { ...options, decays: () => false });
  assert(Math.abs(free.get("w")![0] - 1.9) < 1e-15);
});

Deno.test("adamw: eps stands outside the root; a zero gradient moves nothing", () => {
  const options = { lr: 1, betas: [0.9, 0.999], eps: 1, weightDecay: 0, decays } as const;
  const theta = single(0);
  adamwStep(theta, single(3), adamwState(theta), options);
  assert(Math.abs(theta.get("w")![0] + 3 / 4) < 1e-12);
  const still = single(5);
  adamwStep(still, single(0), adamwState(still), { ...options, eps: 1e-8 });
  assertEquals(still.get("w")![0], 5);
});

Deno.test("sgd: momentum and Nesterov by hand", () => {
  const options = { lr: 0.1, momentum: 0.5, weightDecay: 1, nesterov: false, decays };
  for (const nesterov of [false, true]) {
    const theta = single(1);
    const velocity = sgdState(theta);
    let [expected, u] = [1, 0];
    for (const gradient of [2, -1, 3]) {
      sgdStep(theta, single(gradient), velocity, { ...options, nesterov });
      const g = gradient + expected;
      u = 0.5 * u + g;
      expected -= 0.1 * (nesterov ? g + 0.5 * u : u);
    }
    assert(Math.abs(theta.get("w")![0] - expected) < 1e-15);
  }
});

Deno.test("sgd: without momentum and decay it is theta - lr g", () => {
  const theta = new Map([["w", randomNormals(5, 1)], ["b", randomNormals(3, 2)]]);
  const before = theta.get("b")!.slice();
  const g = new Map([["w", randomNormals(5, 3)], ["b", randomNormals(3, 4)]]);
  const options = { lr: 0.1, momentum: 0, weightDecay: 0, nesterov: false, decays };
  sgdStep(theta, g, sgdState(theta), options);
  assertEquals(theta.get("b"), before.map((x, i) => x - 0.1 * g.get("b")![i]));
});

Deno.test("clipping: never increases the norm, keeps the direction, leaves small gradients alone", () => {
  // Thousandths, because squares of subnormal numbers vanish in any arithmetic.
  const value = fc.integer({ min: -1e9, max: 1e9 }).map((n) => n / 1000);
  const list = fc.array(value, { minLength: 1, maxLength: 6 });
  const limit = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
  fc.assert(fc.property(list, list, limit, (a, b, maxNorm) => {
    const gradients = new Map([["a", Float64Array.from(a)], ["b", Float64Array.from(b)]]);
    const { clipped, norm } = clipByGlobalNorm(gradients, maxNorm);
    assert(Math.abs(norm - Math.hypot(...a, ...b)) <= 1e-12 * norm);
    assert(globalNorm(clipped) <= Math.min(norm, maxNorm) * (1 + 1e-14));
    const factor = clipFactor(norm, maxNorm);
    assert(factor > 0 && factor <= 1 && (norm + 1e-6 > maxNorm || factor === 1));
    assert(relativeError(clipped.get("b")!, b.map((x) => x * factor)) < 1e-15);
  }));
});
