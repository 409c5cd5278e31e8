// y = x, both [count4] vec4 values: what memory gives when nothing is computed.
// Group g owns the values from g * chunk4 to (g + 1) * chunk4; its invocations walk them side by side.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
struct Shape { count4: u32, chunk4: u32 }
@group(0) @binding(2) var<uniform> shape: Shape;
override LANES: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let end = min((group.x + 1u) * shape.chunk4, shape.count4);
  for (var i = group.x * shape.chunk4 + local.x; i < end; i += LANES) { y[i] = x[i]; }
}
