// Stochastic gradient descent with momentum over flat vectors, as PyTorch defines it; g = d_theta * scale * clip + decay theta:
//   m = momentum m + g;  theta -= rate (g + momentum m if NESTEROV, else m).
// Nothing changes when a gradient was not finite. Values from decay_end4 * 4 on do not decay.
// Each workgroup owns chunk4 vec4 values.
@group(0) @binding(0) var<storage, read> d_theta: array<vec4f>;
@group(0) @binding(1) var<storage, read> knobs: array<vec4f>;
@group(0) @binding(2) var<storage, read> metrics: array<f32>;
@group(0) @binding(3) var<storage, read_write> theta: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> m: array<vec4f>;
struct Shape { length4: u32, chunk4: u32, decay_end4: u32, norm_index: u32, momentum: f32, decay: f32 }
@group(0) @binding(6) var<storage, read> theta_before: array<vec4f>;
@group(0) @binding(7) var<storage, read> m_before: array<vec4f>;
@group(0) @binding(5) var<uniform> shape: Shape;
override LANES: u32;
override NESTEROV: bool = false;
$GRADIENT

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let step = step_numbers();
  if (step.skip) { return; }
  let end = min((group.x + 1u) * shape.chunk4, shape.length4);
  for (var i = group.x * shape.chunk4 + local.x; i < end; i += LANES) {
    let t = theta_before[i];
    let g = step.gradient * d_theta[i] + select(0.0, shape.decay, i < shape.decay_end4) * t;
    let m_new = shape.momentum * m_before[i] + g;
    m[i] = m_new;
    theta[i] = t - step.rate * select(m_new, g + shape.momentum * m_new, NESTEROV);
  }
}
