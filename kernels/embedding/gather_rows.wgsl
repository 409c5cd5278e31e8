// d_x[rows[i]] = d_y[i]: the gradient of gathered rows goes back to where they came from; d_x was cleared before.
// rows [count]; d_y [count, columns]; d_x [any, columns]. Each invocation owns one vec4 of d_y; rows are distinct, so no two meet.
@group(0) @binding(0) var<storage, read> rows: array<u32>;
@group(0) @binding(1) var<storage, read> d_y: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> d_x: array<vec4f>;
struct Shape { count: u32, stride4: u32 }
@group(0) @binding(3) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= shape.count * shape.stride4) { return; }
  d_x[rows[i / shape.stride4] * shape.stride4 + i % shape.stride4] = d_y[i];
}
