// value[i] = weights[i] * divergence of two rows of one matrix of logits, p = softmax(first), q = softmax(second), over the whole vocabulary:
// KIND 0: KL(p || q); 1, Jeffreys: KL(p || q) + KL(q || p); 2, Jensen-Shannon: KL(p || m) / 2 + KL(q || m) / 2, m = (p + q) / 2.
// stats[i] = maxima and log-sum parts of p and q; the two divergences, for the backward pass.
// logits [rows, columns]; first, second (row numbers), weights, value [couples]; stats [couples, 8].
// One workgroup owns a couple; couples of weight 0 are not read.
@group(0) @binding(0) var<storage, read> logits: array<vec4f>;
@group(0) @binding(1) var<storage, read> first: array<u32>;
@group(0) @binding(2) var<storage, read> second: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> value: array<f32>;
struct Shape { couples: u32, rows: u32, columns: u32, columns4: u32, scale: f32 }
@group(0) @binding(6) var<uniform> shape: Shape;
override KIND: u32 = 0u;
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
  let couple = min(group.x + group.y * groups.x, shape.couples - 1u);
  let weight = weights[couple];
  let columns4 = select(0u, shape.columns4, weight != 0.0);
  let start_p = min(first[couple], shape.rows - 1u) * shape.columns4;
  let start_q = min(second[couple], shape.rows - 1u) * shape.columns4;

  var online_p = Online(vec4f(LOWEST), vec4f(0.0));
  var online_q = online_p;
  for (var c = lane; c < columns4; c += LANES) {
    online_p = online_add(online_p, masked(logits[start_p + c], c, shape.columns));
    online_q = online_add(online_q, masked(logits[start_q + c], c, shape.columns));
  }
  let p = online_total(online_p, lane);
  let q = online_total(online_q, lane);
  let log_p = log_total(p.y);
  let log_q = log_total(q.y);
  var sum_p = vec4f(0.0);
  var sum_q = vec4f(0.0);
  for (var c = lane; c < columns4; c += LANES) {
    let a = masked(logits[start_p + c], c, shape.columns) - p.x - log_p;
    let b = masked(logits[start_q + c], c, shape.columns) - q.x - log_q;
    if (KIND == 2u) {
      let m = 0.5 * (exp(a) + exp(b));
      sum_p += excess(exp(a), log_to_mean(a - b), m);
      sum_q += excess(exp(b), log_to_mean(b - a), m);
    } else {
      sum_p += divergence(a, b);
      if (KIND == 1u) { sum_q += divergence(b, a); }
    }
  }
  let from_p = sum4(row_sum(sum_p, lane));
  let from_q = sum4(row_sum(sum_q, lane));
  if (lane == 0u) {
    stats[2u * couple] = vec4f(p.x, log_p, q.x, log_q);
    stats[2u * couple + 1u] = vec4f(from_p, from_q, 0.0, 0.0);
    let whole = select(1.0, 0.5, KIND == 2u) * (from_p + from_q);
    value[couple] = select(0.0, shape.scale * weight * whole, weight != 0.0);
  }
}
