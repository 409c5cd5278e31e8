// fisher += scale * d_theta^2, over flat vectors: squared gradients, summed with a weight.
// Each invocation owns every stride-th vec4.
@group(0) @binding(0) var<storage, read> d_theta: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> fisher: array<vec4f>;
struct Shape { length4: u32, scale: f32 }
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < shape.length4; i += groups.x * 64u) {
    let g = d_theta[i];
    fisher[i] += shape.scale * g * g;
  }
}
