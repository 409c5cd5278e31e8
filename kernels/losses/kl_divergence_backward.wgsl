// d_logits[i] (+)= scale * weights[i] * dKL_i, with dKL = p (log(p / q) - KL) for KL(p || q), or p - q for KL(q || p) (FROM_PRIOR).
// Shapes as in kl_divergence.wgsl; d_logits like logits. One workgroup owns a row; rows of weight 0 give zeros.
// ACCUMULATE when another loss on the same logits wrote d_logits first.
@group(0) @binding(0) var<storage, read> logits: array<vec4f>;
@group(0) @binding(1) var<storage, read> prior: array<vec4f>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> d_logits: array<$D>;
struct Shape { rows: u32, columns: u32, columns4: u32, scale: f32 }
@group(0) @binding(5) var<uniform> shape: Shape;
override FROM_PRIOR: bool = false;
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
  let weight = shape.scale * weights[row];
  if (weight == 0.0) {
    if (ACCUMULATE) { return; }
    for (var c = local.x; c < shape.columns4; c += LANES) { d_logits[start + c] = $D(); }
    return;
  }
  let stat = stats[2u * row];
  let kl = stats[2u * row + 1u].x;
  for (var c = local.x; c < shape.columns4; c += LANES) {
    let log_p = masked(logits[start + c], c, shape.columns) - stat.x - stat.y;
    let log_q = masked(prior[start + c], c, shape.columns) - stat.z - stat.w;
    let p = exp(log_p);
    var d = p * (log_p - log_q - kl);
    if (FROM_PRIOR) { d = p - exp(log_q); }
    let column = vec4u(4u * c) + vec4u(0u, 1u, 2u, 3u);
    d = select(vec4f(0.0), weight * d, column < vec4u(shape.columns));
    if (ACCUMULATE) { d += vec4f(d_logits[start + c]); }
    d_logits[start + c] = $D(d);
  }
}
