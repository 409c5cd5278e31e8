// Second stage of norm_backward_weight.wgsl: d_weight [columns] += sum over chunks, and d_bias likewise unless RMS is 1.
// partial is [chunks, 2 stride] = [d_weight | d_bias]. One invocation owns a vec4 of columns.
@group(0) @binding(0) var<storage, read> partial: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> d_weight: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> d_bias: array<vec4f>;
struct Shape { stride4: u32, chunks: u32 }
@group(0) @binding(3) var<uniform> shape: Shape;
override RMS: u32;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  if (column >= shape.stride4) { return; }
  var weight = vec4f();
  var bias = vec4f();
  for (var chunk = 0u; chunk < shape.chunks; chunk++) {
    weight += partial[chunk * 2u * shape.stride4 + column];
    bias += partial[chunk * 2u * shape.stride4 + shape.stride4 + column];
  }
  d_weight[column] += weight;
  if (RMS == 0u) { d_bias[column] += bias; }
}
