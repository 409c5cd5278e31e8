// parts[index + group] = (sum of x^2 over the group's chunk, 1 if any of these x is infinite or NaN else 0).
// x is a vector of `length` floats; group g owns the vec4 values from g * chunk4 to (g + 1) * chunk4.
// NaN and infinity are known by their exponent bits: comparisons with NaN are not reliable in shaders.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> parts: array<vec2f>;
struct Shape { length: u32, chunk4: u32, index: u32 }
@group(0) @binding(2) var<uniform> shape: Shape;
$ROW_FUNCTIONS

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let lane = local.x;
  let end = min((group.x + 1u) * shape.chunk4, (shape.length + 3u) / 4u);
  var sum = vec4f(0.0);
  var broken = vec4f(0.0);
  for (var i = group.x * shape.chunk4 + lane; i < end; i += LANES) {
    let inside = vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(shape.length);
    let g = select(vec4f(0.0), x[i], inside);
    sum += g * g;
    let exponent = bitcast<vec4u>(g) & vec4u(0x7f800000u);
    broken = select(broken, vec4f(1.0), exponent == vec4u(0x7f800000u));
  }
  let total = row_sum(vec4f(sum4(sum), max4(broken), 0.0, 0.0), lane);
  if (lane == 0u) { parts[shape.index + group.x] = vec2f(total.x, min(total.y, 1.0)); }
}
