// out[index] = sqrt(sum of parts.x), out[index + 1] = 1 if any parts.y or the sum itself is not finite, else 0.
// parts is [count, 2] as squares.wgsl leaves it; one workgroup owns it all.
@group(0) @binding(0) var<storage, read> parts: array<vec2f>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
struct Shape { count: u32, index: u32 }
@group(0) @binding(2) var<uniform> shape: Shape;
$ROW_FUNCTIONS

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  var sum = vec2f(0.0);
  for (var i = lane; i < shape.count; i += LANES) { sum += parts[i]; }
  let total = row_sum(vec4f(sum, 0.0, 0.0), lane);
  if (lane == 0u) {
    let overflow = (bitcast<u32>(total.x) & 0x7f800000u) == 0x7f800000u;
    out[shape.index] = sqrt(total.x);
    out[shape.index + 1u] = select(0.0, 1.0, total.y > 0.0 || overflow);
  }
}
