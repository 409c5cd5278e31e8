/**
 * Activations: elementwise functions with their derivatives, and the SwiGLU product of two branches.
 *
 * GELU: Hendrycks and Gimpel, arXiv:1606.08415 (the exact form and its tanh approximation are different functions: models
 * are trained with one or the other). SwiGLU: Shazeer, arXiv:2002.05202.
 */
import { erfc } from "./erf.ts";
import type { Numbers } from "./numbers.ts";

/** Elementwise activations; "none" is the identity. */
export type Activation = "none" | "gelu_tanh" | "gelu_erf" | "silu";

/** One activation and its derivative, on a single number. */
interface Elementwise {
  readonly value: (x: number) => number;
  readonly derivative: (x: number) => number;
}

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

const tanhArgument = (x: number): number => SQRT_2_OVER_PI * (x + CUBIC * x ** 3);
/** Phi(x), the standard normal distribution function. */
const normalCdf = (x: number): number => 0.5 * erfc(-x / Math.SQRT2);
const normalDensity = (x: number): number => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const table: Record<Activation, Elementwise> = {
  none: { value: (x) => x, derivative: () => 1 },
  /** gelu(x) ~ x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
  gelu_tanh: {
    value: (x) => 0.5 * x * (1 + Math.tanh(tanhArgument(x))),
    derivative: (x) => {
      const t = Math.tanh(tanhArgument(x));
      const slope = SQRT_2_OVER_PI * (1 + 3 * CUBIC * x * x);
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope;
    },
  },
  /** gelu(x) = x Phi(x) */
  gelu_erf: {
    value: (x) => x * normalCdf(x),
    derivative: (x) => normalCdf(x) + x * normalDensity(x),
  },
  /** silu(x) = x sigmoid(x) */
  silu: {
    value: (x) => x * sigmoid(x),
    derivative: (x) => {
      const s = sigmoid(x);
      return s * (1 + x * (1 - s));
    },
  },
};

/** y = f(x), element by element. */
export function activate(kind: Activation, x: Numbers): Float64Array {
  return Float64Array.from(x, table[kind].value);
}

/** d_x = d_y f'(x), from the input of the forward pass. */
export function activateBackward(kind: Activation, x: Numbers, d_y: Numbers): Float64Array {
  return Float64Array.from(x, (value, i) => d_y[i] * table[kind].derivative(value));
}

/** y = silu(gate) * up. gateUp is [rows, 2 width], each row [gate | up]; y is [rows, width]. */
export function swiglu(gateUp: Numbers, width: number): Float64Array {
  const y = new Float64Array(gateUp.length / 2);
  for (let i = 0; i < y.length; i++) {
    const gate = gateUpIndex(i, width);
    y[i] = table.silu.value(gateUp[gate]) * gateUp[gate + width];
  }
  return y;
}

/** d_gateUp [rows, 2 width] from the forward pass's input and d_y [rows, width]. */
export function swigluBackward(gateUp: Numbers, d_y: Numbers, width: number): Float64Array {
  const d_gateUp = new Float64Array(gateUp.length);
  for (let i = 0; i < d_y.length; i++) {
    const gate = gateUpIndex(i, width);
    d_gateUp[gate] = d_y[i] * table.silu.derivative(gateUp[gate]) * gateUp[gate + width];
    d_gateUp[gate + width] = d_y[i] * table.silu.value(gateUp[gate]);
  }
  return d_gateUp;
}

/** Where output element i finds its gate; its up value lies `width` further on. */
function gateUpIndex(i: number, width: number): number {
  return Math.floor(i / width) * 2 * width + i % width;
}
