// sums[s] = sum of x over the tokens of sequence s, which are those from segments[s].x up to, not including, segments[s].y.
// x [tokens]; segments [sequences] pairs of token numbers; sums [sequences]. One workgroup owns a sequence; an empty one gives 0.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> segments: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
struct Shape { sequences: u32, tokens: u32 }
@group(0) @binding(3) var<uniform> shape: Shape;
$ROW_FUNCTIONS

@compute @workgroup_size(LANES)
fn main(
  @builtin(local_invocation_id) local: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let sequence = min(group.x + group.y * groups.x, shape.sequences - 1u);
  let segment = min(segments[sequence], vec2u(shape.tokens));
  var sum = 0.0;
  for (var t = segment.x + local.x; t < segment.y; t += LANES) { sum += x[t]; }
  let total = row_sum(vec4f(sum, 0.0, 0.0, 0.0), local.x).x;
  if (local.x == 0u) { sums[sequence] = total; }
}
