// d_x = y (d_y - sum(y d_y)) from y = softmax(x), or d_x = d_y - exp(y) sum(d_y) from y = log softmax(x) when LOG; plus
// `previous`, the gradient another consumer of x left, when ACCUMULATE. All are [rows, columns]. One workgroup owns a row.
@group(0) @binding(0) var<storage, read> y: array<vec4f>;
@group(0) @binding(1) var<storage, read> d_y: array<vec4f>;
@group(0) @binding(2) var<storage, read> previous: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> d_x: array<vec4f>;
struct Shape { rows: u32, columns: u32, columns4: u32 }
@group(0) @binding(4) var<uniform> shape: Shape;
override LOG: bool = false;
override ACCUMULATE: bool = false;
$ROW_FUNCTIONS

@compute @workgroup_size(LANES)
fn main(
  @builtin(local_invocation_id) local: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let lane = local.x;
  let start = min(group.x + group.y * groups.x, shape.rows - 1u) * shape.columns4;
  var sum = vec4f(0.0);
  for (var c = lane; c < shape.columns4; c += LANES) {
    // Padding columns of d_y and y hold zeros.
    if (LOG) { sum += d_y[start + c]; } else { sum += y[start + c] * d_y[start + c]; }
  }
  let total = sum4(row_sum(sum, lane));
  for (var c = lane; c < shape.columns4; c += LANES) {
    var d = y[start + c] * (d_y[start + c] - total);
    if (LOG) { d = d_y[start + c] - exp(y[start + c]) * total; }
    if (ACCUMULATE) { d += previous[start + c]; }
    let inside = vec4u(4u * c) + vec4u(0u, 1u, 2u, 3u) < vec4u(shape.columns);
    d_x[start + c] = select(vec4f(0.0), d, inside);
  }
}
