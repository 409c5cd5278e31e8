// What happens to a finished vec4 of A B at (row, column4): scale, bias, activation, residual, accumulation.
// Columns at or beyond n are written as zeros (the padding every matrix row promises).
struct Shape {
  m: u32, n: u32, k: u32,
  a_stride4: u32, b_stride4: u32, c_stride4: u32,
  a_start4: u32, b_start4: u32, c_start4: u32,
  a_batch4: u32, b_batch4: u32, c_batch4: u32,
  tiles_n: u32, tiles: u32,
  alpha: f32, has_bias: u32, has_residual: u32, accumulate: u32, activation: u32,
}
@group(0) @binding(5) var<uniform> s: Shape;

fn finish(sum: vec4f, row: u32, column4: u32, batch: u32) {
  if (row >= s.m || 4u * column4 >= s.n) { return; }
  let at = s.c_start4 + batch * s.c_batch4 + row * s.c_stride4 + column4;
  var value = s.alpha * sum;
  if (s.has_bias != 0u) { value += bias[column4]; }
  if (s.activation != 0u) { value = activate(value, s.activation); }
  if (s.has_residual != 0u) { value += residual[at]; }
  let columns = column4 * 4u + vec4u(0u, 1u, 2u, 3u);
  value = select(vec4f(0.0), value, columns < vec4u(s.n));
  if (s.accumulate != 0u) { value += vec4f(c[at]); }
  c[at] = Result(value);
}
