// Losses over pairs of replies, from their summed log-probabilities under policy and reference (INFANT Eq. 8).
// sums, reference, lengths, d_sums [2 * pairs]: first all chosen, then all rejected; weights, value [pairs].
// D = (chosen - reference's) - (rejected - reference's), h = beta D:
//   LOGISTIC   a softplus(-h) + b softplus(h)       IPO   (D' - 1 / (2 beta))^2, D' from means per token       HINGE   max(0, 1 - h)
// metrics[index ..] += weighted sums of loss, accuracy, both rewards, both log-probabilities, |log-ratio|, share where both fell.
// One workgroup walks all pairs, so that sums and metrics repeat bit for bit; pairs of weight 0 give zeros.
@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read> reference: array<f32>;
@group(0) @binding(2) var<storage, read> lengths: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> value: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> metrics: array<f32>;
struct Shape { pairs: u32, index: u32, beta: f32, a: f32, b: f32, scale: f32 }
@group(0) @binding(7) var<uniform> shape: Shape;
override KIND: u32 = 0u;
const IPO = 1u;
const HINGE = 2u;
$ROW_FUNCTIONS

fn softplus(x: f32) -> f32 { return max(x, 0.0) + log(1.0 + exp(-abs(x))); }

fn sigmoid(x: f32) -> f32 {
  let e = exp(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  var first = vec4f(0.0);
  var second = vec4f(0.0);
  for (var p = lane; p < shape.pairs; p += LANES) {
    let r = p + shape.pairs;
    let weight = weights[p];
    if (weight == 0.0) {
      value[p] = 0.0;
      d_sums[p] = 0.0;
      d_sums[r] = 0.0;
      continue;
    }
    let chosen = sums[p] - reference[p];
    let rejected = sums[r] - reference[r];
    let h = shape.beta * (chosen - rejected);
    var loss = shape.a * softplus(-h) + shape.b * softplus(h);
    let slope = shape.beta * (shape.b * sigmoid(h) - shape.a * sigmoid(-h));
    var d = vec2f(slope, -slope);
    if (KIND == IPO) {
      let off = chosen / lengths[p] - rejected / lengths[r] - 0.5 / shape.beta;
      loss = off * off;
      d = 2.0 * off * vec2f(1.0 / lengths[p], -1.0 / lengths[r]);
    }
    if (KIND == HINGE) {
      loss = max(0.0, 1.0 - h);
      let pull = select(0.0, -shape.beta, h < 1.0);
      d = vec2f(pull, -pull);
    }
    let scaled = shape.scale * weight;
    value[p] = scaled * loss;
    d_sums[p] = scaled * d.x;
    d_sums[r] = scaled * d.y;
    let wins = select(0.0, 1.0, chosen > rejected);
    let fell = select(0.0, 1.0, chosen < 0.0 && rejected < 0.0);
    first += weight * vec4f(loss, wins, shape.beta * chosen, shape.beta * rejected);
    second += weight * vec4f(sums[p], sums[r], 0.5 * (abs(chosen) + abs(rejected)), fell);
  }
  let totals = array<vec4f, 2>(row_sum(first, lane), row_sum(second, lane));
  if (lane == 0u) {
    for (var k = 0u; k < 4u; k++) {
      metrics[shape.index + k] += totals[0][k];
      metrics[shape.index + 4u + k] += totals[1][k];
    }
  }
}
