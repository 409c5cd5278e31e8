// Elastic weight consolidation over flat vectors: d_theta += kappa F (theta - anchor), and the penalty's partial sums
// parts[index + group] = sum of kappa / 2 F (theta - anchor)^2 over the group's chunk. Entries from `length` on count 0.
// With SCALED both are divided by knobs[4], the gradient scale, so that they carry the loss scale that other gradients carry.
// Group g owns the vec4 values from g * chunk4 to (g + 1) * chunk4. Without ADD_GRADIENT d_theta is not touched.
@group(0) @binding(0) var<storage, read> theta: array<vec4f>;
@group(0) @binding(1) var<storage, read> anchor: array<vec4f>;
@group(0) @binding(2) var<storage, read> fisher: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> d_theta: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> parts: array<f32>;
@group(0) @binding(5) var<storage, read> knobs: array<f32>;
struct Shape { length: u32, chunk4: u32, index: u32, kappa: f32 }
@group(0) @binding(6) var<uniform> shape: Shape;
override ADD_GRADIENT: bool = true;
override SCALED: bool = false;
$ROW_FUNCTIONS

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let lane = local.x;
  let end = min((group.x + 1u) * shape.chunk4, (shape.length + 3u) / 4u);
  var kappa = shape.kappa;
  if (SCALED) { kappa = kappa / knobs[4]; }
  var sum = vec4f(0.0);
  for (var i = group.x * shape.chunk4 + lane; i < end; i += LANES) {
    let inside = vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(shape.length);
    let away = theta[i] - anchor[i];
    let pull = select(vec4f(0.0), kappa * fisher[i] * away, inside);
    sum += select(vec4f(0.0), 0.5 * pull * away, inside);
    if (ADD_GRADIENT) { d_theta[i] += pull; }
  }
  let total = sum4(row_sum(sum, lane));
  if (lane == 0u) { parts[shape.index + group.x] = total; }
}
