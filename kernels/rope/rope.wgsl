// Rotates in place every query and key head of the fused rows qkv [tokens, (heads + 2 kvHeads) * headStride]:
//   (x1, x2) -> (x1 cos - x2 sin, x2 cos + x1 sin), x1 and x2 the two halves of a head's first ropeDims values.
// table [context, ropeDims] holds cos, then sin, of position * theta^(-2i / ropeDims); positions [tokens] < context.
// direction -1 rotates back: the gradient of a rotation is the inverse rotation.
// Each invocation owns one $UNIT of x1 and the matching one of x2, so nothing is read after another wrote it.
// All counts and strides are in $UNITs (vec4f where half of ropeDims is a multiple of 4, f32 elsewhere).
@group(0) @binding(0) var<storage, read> positions: array<u32>;
@group(0) @binding(1) var<storage, read> table: array<$UNIT>;
@group(0) @binding(2) var<storage, read_write> qkv: array<$UNIT>;
struct Shape {
  tokens: u32,
  heads: u32, // rotated heads: queries, then keys
  half: u32,
  head_stride: u32,
  row_stride: u32,
  table_stride: u32,
  direction: f32,
}
@group(0) @binding(4) var<storage, read> qkv_before: array<$UNIT>;
@group(0) @binding(3) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  let pair = i % shape.half;
  let head = i / shape.half % shape.heads;
  let token = i / (shape.half * shape.heads);
  if (token >= shape.tokens) { return; }
  let angle = positions[token] * shape.table_stride + pair;
  let cosine = table[angle];
  let sine = table[angle + shape.half] * shape.direction;
  let first = token * shape.row_stride + head * shape.head_stride + pair;
  let x1 = qkv_before[first];
  let x2 = qkv_before[first + shape.half];
  qkv[first] = x1 * cosine - x2 * sine;
  qkv[first + shape.half] = x2 * cosine + x1 * sine;
}
