// First stage of d_weight = sum over rows of d_y * h and d_bias = sum of d_y, h = (x - mean) * rstd.
// partial [chunks, 2 stride] = [d_weight | d_bias] over `chunk` rows each; norm_backward_sum.wgsl adds the chunks.
// One invocation owns one vec4 of columns in one chunk of rows.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> d_y: array<vec4f>;
@group(0) @binding(2) var<storage, read> stats: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> partial: array<vec4f>;
struct Shape { rows: u32, stride4: u32, chunk: u32, chunks: u32 }
@group(0) @binding(4) var<uniform> shape: Shape;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 8u;
  if (i >= shape.chunks * shape.stride4) { return; }
  let chunk = i / shape.stride4;
  let column = i % shape.stride4;
  let end = min((chunk + 1u) * shape.chunk, shape.rows);
  var d_weight = vec4f();
  var d_bias = vec4f();
  for (var row = chunk * shape.chunk; row < end; row++) {
    let at = row * shape.stride4 + column;
    let d = d_y[at];
    let stat = stats[row];
    d_weight += d * (x[at] - stat.x) * stat.y;
    d_bias += d;
  }
  partial[chunk * 2u * shape.stride4 + column] = d_weight;
  partial[chunk * 2u * shape.stride4 + shape.stride4 + column] = d_bias;
}
