// log_prob[i] = log softmax(logits[i])[targets[i]], value[i] = -weights[i] log_prob[i], correct[i] = 1 if the target is the
// first largest logit, stats[i] = (maximum, sum of exp(x - maximum)) for the backward pass.
// logits [rows, columns]; targets, weights, value, log_prob, correct [rows]; stats [rows, 2].
// One workgroup owns a row. Rows without a target, or of weight 0 when WEIGHTED, are not read and give zeros.
@group(0) @binding(0) var<storage, read> logits: array<vec4f>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> stats: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> value: array<f32>;
@group(0) @binding(5) var<storage, read_write> log_prob: array<f32>;
@group(0) @binding(6) var<storage, read_write> correct: array<f32>;
struct Shape { rows: u32, columns: u32, columns4: u32 }
@group(0) @binding(7) var<uniform> shape: Shape;
override WEIGHTED: bool = true;
$ROW_FUNCTIONS
$ONLINE

@compute @workgroup_size(LANES)
fn main(
  @builtin(local_invocation_id) local: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let lane = local.x;
  let row = min(group.x + group.y * groups.x, shape.rows - 1u);
  let start = row * shape.columns4;
  let goal = targets[row];
  var weight = 1.0;
  if (WEIGHTED) { weight = weights[row]; }
  let counts = goal < shape.columns && weight != 0.0;
  let columns4 = select(0u, shape.columns4, counts);
  let goal_logit = masked(logits[start + select(0u, goal / 4u, counts)], 0u, 4u)[goal % 4u];

  var online = Online(vec4f(LOWEST), vec4f(0.0));
  var ahead = vec4f(0.0); // 1 where a logit is larger than the target's, or as large and earlier
  for (var c = lane; c < columns4; c += LANES) {
    let x = masked(logits[start + c], c, shape.columns);
    online = online_add(online, x);
    let earlier = vec4u(4u * c) + vec4u(0u, 1u, 2u, 3u) < vec4u(goal);
    let wins = (x > vec4f(goal_logit)) | ((x == vec4f(goal_logit)) & earlier);
    ahead = select(ahead, vec4f(1.0), wins);
  }
  let total = online_total(online, lane);
  let beaten = row_max(ahead, lane);
  if (lane == 0u) {
    let log_p = select(0.0, goal_logit - total.x - log_total(total.y), counts);
    stats[row] = vec4f(total, 0.0, 0.0);
    log_prob[row] = log_p;
    value[row] = select(0.0, -weight * log_p, counts);
    correct[row] = select(0.0, 1.0, counts && max4(beaten) == 0.0);
  }
}
