// fisher += scale * d_theta^2, over flat vectors: squared gradients, summed with a weight.
// Each workgroup owns chunk4 vec4 values.
@group(0) @binding(0) var<storage, read> d_theta: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> fisher: array<vec4f>;
struct Shape { length4: u32, chunk4: u32, scale: f32 }
@group(0) @binding(2) var<uniform> shape: Shape;
override LANES: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let end = min((group.x + 1u) * shape.chunk4, shape.length4);
  for (var i = group.x * shape.chunk4 + local.x; i < end; i += LANES) {
    let g = d_theta[i];
    fisher[i] += shape.scale * g * g;
  }
}
