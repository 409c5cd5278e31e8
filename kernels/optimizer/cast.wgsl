// out = float16(x) for a flat vector.
// x is a vector of float32, out of float16, read and written four values at a time. Each workgroup owns chunk4 vec4 values.
enable f16;
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f16>>;
struct Shape { length4: u32, chunk4: u32 }
@group(0) @binding(2) var<uniform> shape: Shape;
override LANES: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let end = min((group.x + 1u) * shape.chunk4, shape.length4);
  for (var i = group.x * shape.chunk4 + local.x; i < end; i += LANES) {
    out[i] = vec4<f16>(x[i]);
  }
}
