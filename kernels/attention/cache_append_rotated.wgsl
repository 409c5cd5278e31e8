// Rotates the new tokens' queries and keys (see rope.wgsl) and appends keys and values to the cache (see cache_append.wgsl).
// qkv: fused rows [tokens, (heads + 2 kv_heads) * head4]; queries [tokens, heads * head4], a matrix of their own because a neighbour
// reads what a rotation in place would overwrite; cache [rows * capacity, 2 kv_heads * head4] = k | v; table and positions as in
// rope.wgsl. All counts are vec4s. Each invocation owns one vec4 of a fused row; tokens beyond the capacity are dropped.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<vec4f>;
@group(0) @binding(3) var<storage, read> cursor: array<u32>;
@group(0) @binding(4) var<storage, read_write> queries: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> cache: array<vec4f>;
struct Shape {
  tokens: u32, // rows * length
  length: u32,
  capacity: u32,
  heads: u32,
  kv_heads: u32,
  head4: u32,
  half4: u32, // half of the rotated part of a head
}
@group(0) @binding(6) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  let stride4 = (shape.heads + 2u * shape.kv_heads) * shape.head4;
  let token = i / stride4;
  if (token >= shape.tokens) { return; }
  let column = i % stride4;
  let d = column % shape.head4;
  var value = qkv[i];
  if (column / shape.head4 < shape.heads + shape.kv_heads && d < 2u * shape.half4) {
    let angle = positions[token] * 2u * shape.half4 + d % shape.half4;
    let second = d >= shape.half4;
    let other = qkv[select(i + shape.half4, i - shape.half4, second)];
    let sine = table[angle + shape.half4];
    value = value * table[angle] + other * select(-sine, sine, second);
  }
  let k_at = shape.heads * shape.head4;
  if (column < k_at) {
    queries[token * k_at + column] = value;
    return;
  }
  let at = cursor[0] + token % shape.length;
  if (at >= shape.capacity) { return; }
  let columns4 = 2u * shape.kv_heads * shape.head4;
  cache[(token / shape.length * shape.capacity + at) * columns4 + column - k_at] = value;
}
