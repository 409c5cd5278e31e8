// out[chunk, column] (+)= sum of x[row, column] over the chunk's rows; x is [rows, columns], out [chunks, columns].
// Each invocation owns four columns of one chunk. A second launch with one chunk sums the partial sums.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;
struct Shape { rows: u32, columns4: u32, rows_per_chunk: u32, chunks: u32, accumulate: u32 }
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= shape.chunks * shape.columns4) { return; }
  let chunk = i / shape.columns4;
  let column = i % shape.columns4;
  let end = min((chunk + 1u) * shape.rows_per_chunk, shape.rows);
  var sum = vec4f(0.0);
  for (var row = chunk * shape.rows_per_chunk; row < end; row++) {
    sum += x[row * shape.columns4 + column];
  }
  if (shape.accumulate != 0u) { sum += out[i]; }
  out[i] = sum;
}
