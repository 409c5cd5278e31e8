// AdamW (Loshchilov and Hutter, 2019) over flat vectors, as PyTorch orders it; g = d_theta * scale * clip:
//   theta *= 1 - rate decay;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
//   theta -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps).
// Nothing changes when a gradient was not finite. Values from decay_end4 * 4 on do not decay.
// Each invocation owns every stride-th vec4, so that the step's numbers are read once for many of them.
@group(0) @binding(0) var<storage, read> d_theta: array<vec4f>;
@group(0) @binding(1) var<storage, read> knobs: array<vec4f>;
@group(0) @binding(2) var<storage, read> metrics: array<f32>;
@group(0) @binding(3) var<storage, read_write> theta: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> v: array<vec4f>;
struct Shape {
  length4: u32, decay_end4: u32, norm_index: u32,
  beta1: f32, one_minus_beta1: f32, beta2: f32, one_minus_beta2: f32, eps: f32, decay: f32
}
@group(0) @binding(6) var<uniform> shape: Shape;
$GRADIENT

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let step = step_numbers();
  if (step.skip) { return; }
  for (var i = id.x; i < shape.length4; i += groups.x * 64u) {
    let g = step.gradient * d_theta[i];
    let m_new = shape.beta1 * m[i] + shape.one_minus_beta1 * g;
    let v_new = shape.beta2 * v[i] + shape.one_minus_beta2 * g * g;
    m[i] = m_new;
    v[i] = v_new;
    let keep = 1.0 - step.rate * select(0.0, shape.decay, i < shape.decay_end4);
    let size = sqrt(v_new / step.correction2) + shape.eps;
    theta[i] = keep * theta[i] - step.rate * (m_new / step.correction1) / size;
  }
}
