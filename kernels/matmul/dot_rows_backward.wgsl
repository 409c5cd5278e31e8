// d_weight[c] += sum over rows of d_y[row] x[row, c]: the weight gradient of dot_rows.wgsl.
// x [rows, columns]; d_y [rows]; d_weight [columns]. One workgroup owns one vec4 of d_weight; its invocations share the rows.
@group(0) @binding(0) var<storage, read> x: array<$X>;
@group(0) @binding(1) var<storage, read> d_y: array<f32>;
@group(0) @binding(2) var<storage, read_write> d_weight: array<vec4f>;
struct Shape { rows: u32, stride4: u32 }
@group(0) @binding(3) var<uniform> shape: Shape;
$ROW_FUNCTIONS

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  var sum = vec4f();
  for (var row = local.x; row < shape.rows; row += LANES) {
    sum += d_y[row] * vec4f(x[row * shape.stride4 + group.x]);
  }
  let total = row_sum(sum, local.x);
  if (local.x == 0u) { d_weight[group.x] += total; }
}
