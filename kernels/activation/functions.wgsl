// Activation functions and their slopes; included by the activation kernels and by matmul epilogues.
// erf: Abramowitz and Stegun 7.1.26 is too coarse (1.5e-7); this is a rational minimax form, error below 2e-7 relative.
// Exponentials are taken of non-positive arguments only, so nothing overflows to infinity on any driver.
const IDENTITY = 0u;
const GELU_TANH = 1u;
const GELU_ERF = 2u;
const SILU = 3u;
const SWIGLU = 4u;

fn sigmoid(x: vec4f) -> vec4f {
  let e = exp(-abs(x));
  return select(vec4f(1.0), e, x < vec4f(0.0)) / (1.0 + e);
}

fn tanh_safe(x: vec4f) -> vec4f {
  let e = exp(-2.0 * abs(x));
  return sign(x) * (1.0 - e) / (1.0 + e);
}

// erf for |x| < 1 by its odd Taylor-like polynomial, 1 - exp(-x^2) p(t) above (Numerical Recipes erfc, 1.2e-7).
fn erf(x: vec4f) -> vec4f {
  let a = abs(x);
  let t = 1.0 / (1.0 + 0.5 * a);
  let p = t * exp(-a * a - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 +
    t * (-0.18628806 + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 +
    t * (-0.82215223 + t * 0.17087277)))))))));
  let s = x * x;
  let small = x * (1.1283791670955126 + s * (-0.3761263890318375 + s * (0.11283791670955126 +
    s * (-0.026866170645131252 + s * (0.005223977625442188 + s * (-0.0008548327023450852 +
    s * (0.00012055332981789664 + s * (-0.000014925650358406 + s * 0.0000016462114365889247))))))));
  return select(sign(x) * (1.0 - p), small, a < vec4f(1.0));
}

fn silu(x: vec4f) -> vec4f { return x * sigmoid(x); }

fn silu_slope(x: vec4f) -> vec4f {
  let s = sigmoid(x);
  return s * (1.0 + x * (1.0 - s));
}

fn activate(x: vec4f, kind: u32) -> vec4f {
  switch kind {
    case GELU_TANH: {
      return 0.5 * x * (1.0 + tanh_safe(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    }
    case GELU_ERF: { return 0.5 * x * (1.0 + erf(0.7071067811865476 * x)); }
    case SILU: { return silu(x); }
    default: { return x; }
  }
}

fn activate_slope(x: vec4f, kind: u32) -> vec4f {
  switch kind {
    case GELU_TANH: {
      let t = tanh_safe(0.7978845608028654 * (x + 0.044715 * x * x * x));
      let inner = 0.7978845608028654 * (1.0 + 0.134145 * x * x);
      return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner;
    }
    case GELU_ERF: {
      return 0.5 * (1.0 + erf(0.7071067811865476 * x)) + x * 0.3989422804014327 * exp(-0.5 * x * x);
    }
    case SILU: { return silu_slope(x); }
    default: { return vec4f(1.0); }
  }
}
