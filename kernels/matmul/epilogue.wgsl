// What happens to a finished vec4 of A B at (row, column4): scale, bias, activation, residual, accumulation.
// Columns at or beyond n are written as zeros (the padding every matrix row promises).
// What a product does not need is decided when the pipeline is built: a software adapter would run both sides of an `if`.
struct Shape {
  m: u32, n: u32,
  k: u32, k_last: u32, // inner size of each product along z, and of the last one
  a_stride4: u32, b_stride4: u32, c_stride4: u32,
  a_start4: u32, b_start4: u32, c_start4: u32,
  a_batch4: u32, b_batch4: u32, c_batch4: u32,
  tiles_n: u32, tiles: u32, band: u32,
  sums_slice4: u32,
  alpha: f32,
}
@group(0) @binding(5) var<uniform> s: Shape;
override HAS_BIAS: u32;
override HAS_RESIDUAL: u32;
override ACCUMULATE: u32;
override ACTIVATION: u32;
override WHOLE: u32; // C is made of whole blocks: no row or column lies beyond its end

// How far product z of `count` walks; the last slice of a split k may be shorter.
fn inner_size(z: u32, count: u32) -> u32 {
  return select(s.k, s.k_last, z + 1u == count);
}

fn bias_at(column4: u32) -> vec4f {
  if (HAS_BIAS == 1u) { return bias[column4]; }
  return vec4f();
}

fn finish(sum: vec4f, bias4: vec4f, row: u32, column4: u32, batch: u32) {
  if (WHOLE == 0u && (row >= s.m || 4u * column4 >= s.n)) { return; }
  let at = s.c_start4 + batch * s.c_batch4 + row * s.c_stride4 + column4;
  var value = s.alpha * sum;
  if (HAS_BIAS == 1u) { value += bias4; }
  if (ACTIVATION != 0u) { value = activate(value, ACTIVATION); }
  if (HAS_RESIDUAL == 1u) { value += residual[at]; }
  if (WHOLE == 0u) {
    let columns = column4 * 4u + vec4u(0u, 1u, 2u, 3u);
    value = select(vec4f(0.0), value, columns < vec4u(s.n));
  }
  if (ACCUMULATE == 1u) { value += vec4f(c[at]); }
  c[at] = Result(value);
}
