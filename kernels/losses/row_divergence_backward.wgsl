// d_logits[first[i]] += weights[i] * dD_i / d first, d_logits[second[i]] likewise; no row is named twice. With l = log(p / q):
//   KL: p (l - KL), q - p        Jeffreys: p (l - KL(p||q)) + p - q, q (-l - KL(q||p)) + q - p
//   Jensen-Shannon: p (log(p/m) - KL(p||m)) / 2, q (log(q/m) - KL(q||m)) / 2
// Shapes as in row_divergence.wgsl; d_logits like logits. One workgroup owns a couple. DETACHED: the first rows count as given.
@group(0) @binding(0) var<storage, read> logits: array<vec4f>;
@group(0) @binding(1) var<storage, read> first: array<u32>;
@group(0) @binding(2) var<storage, read> second: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read> stats: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> d_logits: array<$D>;
struct Shape { couples: u32, rows: u32, columns: u32, columns4: u32, scale: f32 }
@group(0) @binding(6) var<uniform> shape: Shape;
override KIND: u32 = 0u;
override DETACHED: bool = false;
$ROW_FUNCTIONS
$ONLINE
$DIVERGENCE

@compute @workgroup_size(LANES)
fn main(
  @builtin(local_invocation_id) local: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let couple = group.x + group.y * groups.x;
  if (couple >= shape.couples) { return; }
  let weight = shape.scale * weights[couple];
  if (weight == 0.0) { return; }
  let start_p = min(first[couple], shape.rows - 1u) * shape.columns4;
  let start_q = min(second[couple], shape.rows - 1u) * shape.columns4;
  let stat = stats[2u * couple];
  let sums = stats[2u * couple + 1u];
  for (var c = local.x; c < shape.columns4; c += LANES) {
    let log_p = masked(logits[start_p + c], c, shape.columns) - stat.x - stat.y;
    let log_q = masked(logits[start_q + c], c, shape.columns) - stat.z - stat.w;
    let p = exp(log_p);
    let q = exp(log_q);
    let l = log_p - log_q;
    var d_p = p * (l - sums.x);
    var d_q = q - p;
    if (KIND == 1u) {
      d_p += p - q;
      d_q += q * (-l - sums.y);
    }
    if (KIND == 2u) {
      d_p = 0.5 * p * (log_to_mean(l) - sums.x);
      d_q = 0.5 * q * (log_to_mean(-l) - sums.y);
    }
    let inside = vec4u(4u * c) + vec4u(0u, 1u, 2u, 3u) < vec4u(shape.columns);
    if (!DETACHED) {
      d_logits[start_p + c] = $D(vec4f(d_logits[start_p + c]) + select(vec4f(0.0), weight * d_p, inside));
    }
    d_logits[start_q + c] = $D(vec4f(d_logits[start_q + c]) + select(vec4f(0.0), weight * d_q, inside));
  }
}
