// y[row] = weight . x[row] + bias: a linear layer with one output, as a vector without row padding.
// x [rows, columns]; weight [columns]; bias [1], read when HAS_BIAS; y [rows]. One workgroup owns a row.
@group(0) @binding(0) var<storage, read> x: array<$X>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
struct Shape { rows: u32, stride4: u32 }
@group(0) @binding(4) var<uniform> shape: Shape;
override HAS_BIAS: bool = false;
$ROW_FUNCTIONS

@compute @workgroup_size(LANES)
fn main(
  @builtin(local_invocation_id) local: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let row = group.x + group.y * groups.x;
  if (row >= shape.rows) { return; }
  var sum = vec4f();
  for (var c = local.x; c < shape.stride4; c += LANES) { sum += weight[c] * vec4f(x[row * shape.stride4 + c]); }
  var total = sum4(row_sum(sum, local.x));
  if (HAS_BIAS) { total += bias[0]; }
  if (local.x == 0u) { y[row] = total; }
}
