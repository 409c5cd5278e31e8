// out = float16(x) for a flat vector.
// x is a vector of float32, out of float16, read and written four values at a time. Each invocation owns every stride-th vec4.
enable f16;
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f16>>;
struct Shape { length4: u32 }
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < shape.length4; i += groups.x * 64u) {
    out[i] = vec4<f16>(x[i]);
  }
}
