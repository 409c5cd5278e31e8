// Terms of divergences, column by column, that keep their digits where the two distributions are nearly equal.
// Included by the kernels of KL and its symmetric relatives; logarithms of probabilities in, nats out.

// a d - a + b with b = a exp(-d), never negative; by its series where |d| < 1, since the difference would cancel.
fn excess(a: vec4f, d: vec4f, b: vec4f) -> vec4f {
  let series = 0.5 - d * (0.16666667 - d * (0.041666667 - d * (0.0083333333 - d * (0.0013888889 -
    d * (0.0001984127 - d * (0.000024801587 - d * (0.0000027557319 - d * 2.7557319e-7)))))));
  return select(a * d - a + b, a * d * d * series, abs(d) < vec4f(1.0));
}

// One column's part of KL(a || b) as a (d - 1 + exp(-d)) with d = log(a / b). The sum over columns is the same as that of a d, since
// a and b both sum to 1, but an error in a's or b's normalisation cancels to first order.
fn divergence(log_a: vec4f, log_b: vec4f) -> vec4f {
  return excess(exp(log_a), log_a - log_b, exp(log_b));
}

// log(p / m) with m = (p + q) / 2 and d = log(p / q): log 2 - log(1 + exp(-d)), for small d as d / 2 - log cosh(d / 2) by its series.
fn log_to_mean(d: vec4f) -> vec4f {
  let v = 0.25 * d * d;
  let log_cosh = v * (0.5 - v * (0.083333333 - v * (0.022222222 - v * (0.0067460317 - v * 0.0021869489))));
  let direct = 0.69314718 - max(-d, vec4f(0.0)) - log(1.0 + exp(-abs(d)));
  return select(direct, 0.5 * d - log_cosh, abs(d) < vec4f(0.8));
}
