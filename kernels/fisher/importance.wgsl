// importance += max(path, 0) / ((theta - start)^2 + damping): what a parameter's moves took off the loss, per squared distance moved.
// All flat vectors; group g owns the vec4 values from g * chunk4 to (g + 1) * chunk4.
@group(0) @binding(0) var<storage, read> theta: array<vec4f>;
@group(0) @binding(1) var<storage, read> start: array<vec4f>;
@group(0) @binding(2) var<storage, read> path: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> importance: array<vec4f>;
struct Shape { length4: u32, chunk4: u32, damping: f32 }
@group(0) @binding(4) var<uniform> shape: Shape;
override LANES: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let end = min((group.x + 1u) * shape.chunk4, shape.length4);
  for (var i = group.x * shape.chunk4 + local.x; i < end; i += LANES) {
    let moved = theta[i] - start[i];
    importance[i] += max(path[i], vec4f(0.0)) / (moved * moved + shape.damping);
  }
}
