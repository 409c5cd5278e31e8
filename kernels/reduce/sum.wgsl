// out[index + group] (+)= scale * sum of the group's chunk of x; x is a vector of `length` floats.
// Group g owns the vec4 values from g * chunk4 to (g + 1) * chunk4; a second launch with one group sums the partial sums.
// Entries of x beyond `length` may hold anything.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
struct Shape { length: u32, chunk4: u32, index: u32, accumulate: u32, scale: f32 }
@group(0) @binding(2) var<uniform> shape: Shape;
$ROW_FUNCTIONS

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let lane = local.x;
  let end = min((group.x + 1u) * shape.chunk4, (shape.length + 3u) / 4u);
  var sum = vec4f(0.0);
  for (var i = group.x * shape.chunk4 + lane; i < end; i += LANES) {
    let inside = vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(shape.length);
    sum += select(vec4f(0.0), x[i], inside);
  }
  let total = shape.scale * sum4(row_sum(sum, lane));
  if (lane == 0u) {
    let at = shape.index + group.x;
    if (shape.accumulate != 0u) { out[at] += total; } else { out[at] = total; }
  }
}
