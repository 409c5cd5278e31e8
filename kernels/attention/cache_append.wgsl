// Copies the new tokens' keys and values behind those already cached: cache row row * capacity + cursor[0] + t.
// qkv: fused rows [rows * length, stride4] = q | k | v; cache [rows * capacity, columns4] = k | v.
// Each invocation owns one vec4 of a new row; tokens beyond the capacity are dropped.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> cursor: array<u32>;
@group(0) @binding(2) var<storage, read_write> cache: array<vec4f>;
struct Shape {
  tokens: u32, // rows * length
  length: u32,
  capacity: u32,
  stride4: u32,
  k_at: u32,
  columns4: u32,
}
@group(0) @binding(3) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  let token = i / shape.columns4;
  let column = i % shape.columns4;
  let at = cursor[0] + token % shape.length;
  if (token >= shape.tokens || at >= shape.capacity) { return; }
  let row = token / shape.length;
  cache[(row * shape.capacity + at) * shape.columns4 + column] =
    qkv[token * shape.stride4 + shape.k_at + column];
}
