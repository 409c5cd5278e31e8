// Activation functions and their slopes; included by the activation kernels and by matmul epilogues.
// Exponentials are taken of non-positive arguments only, so nothing overflows to infinity on any driver.
// GELU is x P(x) with P the normal distribution function, or with its tanh form 0.5 (1 + tanh(u)) = sigmoid(2 u). Both
// P's are computed without subtracting from 1 where x < 0, so the tail keeps its relative accuracy.
const IDENTITY = 0u;
const GELU_TANH = 1u;
const GELU_ERF = 2u;
const SILU = 3u;
const SWIGLU = 4u;

fn sigmoid(x: vec4f) -> vec4f {
  let e = exp(-abs(x));
  return select(vec4f(1.0), e, x < vec4f(0.0)) / (1.0 + e);
}

// sigmoid'(x) = sigmoid(x) (1 - sigmoid(x)), without the subtraction.
fn sigmoid_slope(x: vec4f) -> vec4f {
  let e = exp(-abs(x));
  return e / ((1.0 + e) * (1.0 + e));
}

// 1 - erf(a) for a >= 0: the Chebyshev fit "erfcc" of Numerical Recipes (section 6.2), relative error below 1.2e-7 in exact
// arithmetic. Measured in f32 on lavapipe: erf within 4.4e-7 on [-6, 6], gelu_erf within 3e-8 of a whole tensor.
fn erfc_positive(a: vec4f) -> vec4f {
  let t = 1.0 / (1.0 + 0.5 * a);
  return t * exp(-a * a - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 +
    t * (-0.18628806 + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 +
    t * (-0.82215223 + t * 0.17087277)))))))));
}

fn normal_cdf(x: vec4f) -> vec4f {
  let tail = 0.5 * erfc_positive(0.7071067811865476 * abs(x));
  return select(1.0 - tail, tail, x < vec4f(0.0));
}

// 2 u of GELU's tanh form.
fn gelu_logit(x: vec4f) -> vec4f { return 1.5957691216057308 * (x + 0.044715 * x * x * x); }

fn silu(x: vec4f) -> vec4f { return x * sigmoid(x); }

fn silu_slope(x: vec4f) -> vec4f { return sigmoid(x) + x * sigmoid_slope(x); }

fn activate(x: vec4f, kind: u32) -> vec4f {
  switch kind {
    case GELU_TANH: { return x * sigmoid(gelu_logit(x)); }
    case GELU_ERF: { return x * normal_cdf(x); }
    case SILU: { return silu(x); }
    default: { return x; }
  }
}

fn activate_slope(x: vec4f, kind: u32) -> vec4f {
  switch kind {
    case GELU_TANH: {
      let z = gelu_logit(x);
      return sigmoid(z) + x * sigmoid_slope(z) * 1.5957691216057308 * (1.0 + 0.134145 * x * x);
    }
    case GELU_ERF: { return normal_cdf(x) + x * 0.3989422804014327 * exp(-0.5 * x * x); }
    case SILU: { return silu_slope(x); }
    default: { return vec4f(1.0); }
  }
}
