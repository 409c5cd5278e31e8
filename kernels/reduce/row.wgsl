// Sums and maxima over the LANES invocations of one workgroup, which together own one row; included by row kernels.
// Every invocation gets the result. The tree has a fixed shape, so results repeat bit for bit.
// Call in uniform control flow only: these functions hold barriers, but for LANES = 1, where rows share nothing.
override LANES: u32 = 8u;
var<workgroup> row_scratch: array<vec4f, LANES>;

fn row_sum(value: vec4f, lane: u32) -> vec4f {
  if (LANES == 1u) { return value; }
  row_scratch[lane] = value;
  for (var half = LANES / 2u; half > 0u; half = half / 2u) {
    workgroupBarrier();
    if (lane < half) { row_scratch[lane] += row_scratch[lane + half]; }
  }
  workgroupBarrier();
  let total = row_scratch[0];
  workgroupBarrier();
  return total;
}

fn row_max(value: vec4f, lane: u32) -> vec4f {
  if (LANES == 1u) { return value; }
  row_scratch[lane] = value;
  for (var half = LANES / 2u; half > 0u; half = half / 2u) {
    workgroupBarrier();
    if (lane < half) { row_scratch[lane] = max(row_scratch[lane], row_scratch[lane + half]); }
  }
  workgroupBarrier();
  let most = row_scratch[0];
  workgroupBarrier();
  return most;
}

fn max4(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }

fn sum4(v: vec4f) -> f32 { return (v.x + v.y) + (v.z + v.w); }
