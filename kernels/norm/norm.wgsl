// LayerNorm y = (x - mean) * rstd * weight + bias, or RMSNorm y = x * rstd * weight when RMS is 1.
// x, y [rows, columns]; weight, bias [columns]; stats [rows] = (mean, rstd, 0, 0), kept for the backward pass.
// rstd = 1 / sqrt(var + eps) with the biased variance (RMSNorm: mean square). A workgroup owns SIZE / LANES rows, LANES
// invocations stride over the vec4s of each; two passes over the row, because E[x^2] - mean^2 cancels.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<$Y>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec4f>;
struct Shape { rows: u32, columns: u32, stride4: u32, eps: f32 }
@group(0) @binding(5) var<uniform> shape: Shape;
override LANES: u32;
override SIZE: u32;
override RMS: u32;
var<workgroup> partial: array<f32, SIZE>;

fn total(value: f32, index: u32) -> f32 {
  if (LANES == 1u) { return value; }
  partial[index] = value;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = index / LANES * LANES; i < (index / LANES + 1u) * LANES; i++) { sum += partial[i]; }
  workgroupBarrier();
  return sum;
}

fn valid(column4: u32) -> vec4f {
  return select(vec4f(0.0), vec4f(1.0), 4u * column4 + vec4u(0u, 1u, 2u, 3u) < vec4u(shape.columns));
}

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) index: u32) {
  let lane = index % LANES;
  let row = min((group.x + group.y * groups.x) * (SIZE / LANES) + index / LANES, shape.rows - 1u);
  let start = row * shape.stride4;
  let count = f32(shape.columns);
  var mean = 0.0;
  if (RMS == 0u) {
    var sum = vec4f();
    for (var c = lane; c < shape.stride4; c += LANES) { sum += x[start + c]; }
    mean = total(dot(sum, vec4f(1.0)), index) / count;
  }
  var square = 0.0;
  for (var c = lane; c < shape.stride4; c += LANES) {
    let d = (x[start + c] - mean) * valid(c);
    square += dot(d, d);
  }
  let rstd = 1.0 / sqrt(total(square, index) / count + shape.eps);
  for (var c = lane; c < shape.stride4; c += LANES) {
    var value = (x[start + c] - mean) * rstd * weight[c];
    if (RMS == 0u) { value += bias[c]; }
    y[start + c] = $Y(value * valid(c));
  }
  if (lane == 0u) { stats[row] = vec4f(mean, rstd, 0.0, 0.0); }
}
