// y = softmax(x) per row, or log softmax(x) when LOG; x, y [rows, columns].
// One workgroup owns a row.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
struct Shape { rows: u32, columns: u32, columns4: u32 }
@group(0) @binding(2) var<uniform> shape: Shape;
override LOG: bool = false;
$ROW_FUNCTIONS
$ONLINE

@compute @workgroup_size(LANES)
fn main(
  @builtin(local_invocation_id) local: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let lane = local.x;
  let start = min(group.x + group.y * groups.x, shape.rows - 1u) * shape.columns4;
  var online = Online(vec4f(LOWEST), vec4f(0.0));
  for (var c = lane; c < shape.columns4; c += LANES) {
    online = online_add(online, masked(x[start + c], c, shape.columns));
  }
  let total = online_total(online, lane);
  let log_sum = log_total(total.y);
  for (var c = lane; c < shape.columns4; c += LANES) {
    let shifted = masked(x[start + c], c, shape.columns) - total.x;
    var out = exp(shifted) / total.y;
    if (LOG) { out = shifted - log_sum; }
    let inside = vec4u(4u * c) + vec4u(0u, 1u, 2u, 3u) < vec4u(shape.columns);
    y[start + c] = select(vec4f(0.0), out, inside);
  }
}
