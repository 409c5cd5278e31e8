// d_table[entry] += sum of d_y over the rows that selected it, without atomics and in a fixed order.
// The host sorts the rows by entry: order [rows] lists them, segments [n] = (entry, begin, end, 0) are ranges of that list.
// d_table is a window of a larger one, entries [first, end). One invocation owns one vec4 of one entry's gradient; unused segments have begin = end.
@group(0) @binding(0) var<storage, read> order: array<u32>;
@group(0) @binding(1) var<storage, read> segments: array<vec4u>;
@group(0) @binding(2) var<storage, read> d_y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> d_table: array<vec4f>;
struct Shape { segments: u32, stride4: u32, first: u32, end: u32 }
@group(0) @binding(4) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= shape.segments * shape.stride4) { return; }
  let column = i % shape.stride4;
  let segment = segments[i / shape.stride4];
  if (segment.y >= segment.z || segment.x < shape.first || segment.x >= shape.end) { return; }
  var sum = vec4f();
  for (var j = segment.y; j < segment.z; j++) { sum += d_y[order[j] * shape.stride4 + column]; }
  d_table[(segment.x - shape.first) * shape.stride4 + column] += sum;
}
