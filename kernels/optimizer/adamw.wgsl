// AdamW (Loshchilov and Hutter, 2019) over flat vectors, as PyTorch orders it; g = d_theta * scale * clip:
//   theta *= 1 - rate decay;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
//   theta -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps).
// Nothing changes when a gradient was not finite. Values from decay_end4 * 4 on do not decay.
// Each workgroup owns chunk4 vec4 values, so that the step's numbers are read once for many of them.
@group(0) @binding(0) var<storage, read> d_theta: array<vec4f>;
@group(0) @binding(1) var<storage, read> knobs: array<vec4f>;
@group(0) @binding(2) var<storage, read> metrics: array<f32>;
@group(0) @binding(3) var<storage, read_write> theta: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> v: array<vec4f>;
struct Shape {
  length4: u32, chunk4: u32, decay_end4: u32, norm_index: u32,
  beta1: f32, one_minus_beta1: f32, beta2: f32, one_minus_beta2: f32, eps: f32, decay: f32
}
@group(0) @binding(7) var<storage, read> theta_before: array<vec4f>;
@group(0) @binding(8) var<storage, read> m_before: array<vec4f>;
@group(0) @binding(9) var<storage, read> v_before: array<vec4f>;
@group(0) @binding(6) var<uniform> shape: Shape;
override LANES: u32;
$GRADIENT

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let step = step_numbers();
  if (step.skip) { return; }
  let end = min((group.x + 1u) * shape.chunk4, shape.length4);
  for (var i = group.x * shape.chunk4 + local.x; i < end; i += LANES) {
    let g = step.gradient * d_theta[i];
    let m_new = shape.beta1 * m_before[i] + shape.one_minus_beta1 * g;
    let v_new = shape.beta2 * v_before[i] + shape.one_minus_beta2 * g * g;
    m[i] = m_new;
    v[i] = v_new;
    let keep = 1.0 - step.rate * select(0.0, shape.decay, i < shape.decay_end4);
    let size = sqrt(v_new / step.correction2) + shape.eps;
    theta[i] = keep * theta_before[i] - step.rate * (m_new / step.correction1) / size;
  }
}
