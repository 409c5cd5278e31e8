// y = a + b, elementwise; all [rows, columns] with the same row padding, so zeros stay zeros.
// Each invocation adds one vec4.
@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
struct Shape { count4: u32 }
@group(0) @binding(3) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i < shape.count4) { y[i] = a[i] + b[i]; }
}
