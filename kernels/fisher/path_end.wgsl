// path -= gradient (theta - before): the loss that each parameter's last move took away, to first order.
// Nothing where metrics[flag] says that the step was skipped. All flat; group g owns the vec4 values from g * chunk4 on.
@group(0) @binding(0) var<storage, read> theta: array<vec4f>;
@group(0) @binding(1) var<storage, read> before: array<vec4f>;
@group(0) @binding(2) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(3) var<storage, read> metrics: array<f32>;
@group(0) @binding(4) var<storage, read_write> path: array<vec4f>;
struct Shape { length4: u32, chunk4: u32, flag: u32 }
@group(0) @binding(5) var<uniform> shape: Shape;
override LANES: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  // A gradient that is not finite times a move of 0 would spoil the sum for ever.
  if (metrics[shape.flag] != 0.0) { return; }
  let end = min((group.x + 1u) * shape.chunk4, shape.length4);
  for (var i = group.x * shape.chunk4 + local.x; i < end; i += LANES) {
    path[i] -= gradient[i] * (theta[i] - before[i]);
  }
}
