// before = theta, gradient = knobs[4] * d_theta: what a step needs to know later of how it began (knobs[4] takes off the loss scale).
// All flat; group g owns the vec4 values from g * chunk4 to (g + 1) * chunk4.
@group(0) @binding(0) var<storage, read> theta: array<vec4f>;
@group(0) @binding(1) var<storage, read> d_theta: array<vec4f>;
@group(0) @binding(2) var<storage, read> knobs: array<f32>;
@group(0) @binding(3) var<storage, read_write> before: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> gradient: array<vec4f>;
struct Shape { length4: u32, chunk4: u32 }
@group(0) @binding(5) var<uniform> shape: Shape;
override LANES: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let end = min((group.x + 1u) * shape.chunk4, shape.length4);
  for (var i = group.x * shape.chunk4 + local.x; i < end; i += LANES) {
    before[i] = theta[i];
    gradient[i] = knobs[4] * d_theta[i];
  }
}
