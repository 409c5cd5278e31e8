// value[i] = scale * weights[i] * KL_i, the divergence of row i over the whole vocabulary: KL(p || q) with p the policy and q the
// prior, or KL(q || p) when FROM_PRIOR. stats[i] = (log-sum parts of p, of q; KL_i) for the backward pass.
// logits, prior [rows, columns]; weights, value [rows]; stats [rows, 8]. One workgroup owns a row; rows of weight 0 are not read.
@group(0) @binding(0) var<storage, read> logits: array<vec4f>;
@group(0) @binding(1) var<storage, read> prior: array<vec4f>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> stats: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> value: array<f32>;
struct Shape { rows: u32, columns: u32, columns4: u32, scale: f32 }
@group(0) @binding(5) var<uniform> shape: Shape;
override FROM_PRIOR: bool = false;
$ROW_FUNCTIONS
$ONLINE
$DIVERGENCE

@compute @workgroup_size(LANES)
fn main(
  @builtin(local_invocation_id) local: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let lane = local.x;
  let row = min(group.x + group.y * groups.x, shape.rows - 1u);
  let start = row * shape.columns4;
  let weight = weights[row];
  let columns4 = select(0u, shape.columns4, weight != 0.0);

  var online_p = Online(vec4f(LOWEST), vec4f(0.0));
  var online_q = online_p;
  for (var c = lane; c < columns4; c += LANES) {
    online_p = online_add(online_p, masked(logits[start + c], c, shape.columns));
    online_q = online_add(online_q, masked(prior[start + c], c, shape.columns));
  }
  let p = online_total(online_p, lane);
  let q = online_total(online_q, lane);
  let log_p = log_total(p.y);
  let log_q = log_total(q.y);
  var sum = vec4f(0.0);
  for (var c = lane; c < columns4; c += LANES) {
    let a = masked(logits[start + c], c, shape.columns) - p.x - log_p;
    let b = masked(prior[start + c], c, shape.columns) - q.x - log_q;
    if (FROM_PRIOR) { sum += divergence(b, a); } else { sum += divergence(a, b); }
  }
  let kl = sum4(row_sum(sum, lane));
  if (lane == 0u) {
    stats[2u * row] = vec4f(p.x, log_p, q.x, log_q);
    stats[2u * row + 1u] = vec4f(kl, 0.0, 0.0, 0.0);
    value[row] = select(0.0, shape.scale * weight * kl, weight != 0.0);
  }
}
