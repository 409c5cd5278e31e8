// y[i] = table[ids[i]] (+ position_table[positions[i]]): the rows a token and its position select.
// ids, positions [rows]; tables [entries, columns]; y [rows, columns]. Each invocation owns one vec4 of y.
// table is a window of a larger one: entries from `first` on; ids outside [first, end) are another launch's.
@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<$TABLE>;
@group(0) @binding(3) var<storage, read> position_table: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
struct Shape { rows: u32, stride4: u32, has_positions: u32, first: u32, end: u32 }
@group(0) @binding(5) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= shape.rows * shape.stride4) { return; }
  let row = i / shape.stride4;
  let column = i % shape.stride4;
  let entry = ids[row];
  if (entry < shape.first || entry >= shape.end) { return; }
  var value = vec4f(table[(entry - shape.first) * shape.stride4 + column]);
  if (shape.has_positions != 0u) { value += position_table[positions[row] * shape.stride4 + column]; }
  y[i] = value;
}
