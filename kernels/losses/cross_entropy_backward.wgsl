// d_logits[i] (+)= scale * weights[i] * (softmax(logits[i]) - onehot(targets[i])); rows without a target or weight give zeros.
// logits, d_logits [rows, columns]; targets, weights [rows]; stats [rows, 2] from the forward pass.
// One workgroup owns a row; ACCUMULATE when another loss on the same logits wrote d_logits first.
@group(0) @binding(0) var<storage, read> logits: array<vec4f>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> d_logits: array<$D>;
struct Shape { rows: u32, columns: u32, columns4: u32, scale: f32 }
@group(0) @binding(5) var<uniform> shape: Shape;
override ACCUMULATE: bool = false;
$ROW_FUNCTIONS
$ONLINE

@compute @workgroup_size(LANES)
fn main(
  @builtin(local_invocation_id) local: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let row = group.x + group.y * groups.x;
  if (row >= shape.rows) { return; }
  let start = row * shape.columns4;
  let goal = targets[row];
  let weight = select(0.0, shape.scale * weights[row], goal < shape.columns);
  if (weight == 0.0) {
    if (ACCUMULATE) { return; }
    for (var c = local.x; c < shape.columns4; c += LANES) { d_logits[start + c] = $D(); }
    return;
  }
  let most = stats[row].x;
  let per_sum = 1.0 / stats[row].y;
  for (var c = local.x; c < shape.columns4; c += LANES) {
    let column = vec4u(4u * c) + vec4u(0u, 1u, 2u, 3u);
    let p = per_sum * exp(masked(logits[start + c], c, shape.columns) - most);
    let onehot = select(vec4f(0.0), vec4f(1.0), column == vec4u(goal));
    var d = select(vec4f(0.0), weight * (p - onehot), column < vec4u(shape.columns));
    if (ACCUMULATE) { d += vec4f(d_logits[start + c]); }
    d_logits[start + c] = $D(d);
  }
}
