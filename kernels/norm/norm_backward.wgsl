// Gradient of LayerNorm / RMSNorm by its input, g = d_y * weight, h = (x - mean) * rstd:
// d_x = rstd * (g - mean(g) - h mean(g h)) + previous; RMSNorm has no mean(g) term.
// Shapes as in norm.wgsl; previous is a gradient that reached x another way (used when has_previous is 1).
// A workgroup owns SIZE / LANES rows.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> d_y: array<vec4f>;
@group(0) @binding(3) var<storage, read> stats: array<vec4f>;
@group(0) @binding(4) var<storage, read> previous: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> d_x: array<vec4f>;
struct Shape { rows: u32, columns: u32, stride4: u32, has_previous: u32 }
@group(0) @binding(6) var<uniform> shape: Shape;
override LANES: u32;
override SIZE: u32;
override RMS: u32;
var<workgroup> partial: array<vec2f, SIZE>;

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) index: u32) {
  let lane = index % LANES;
  let row = min((group.x + group.y * groups.x) * (SIZE / LANES) + index / LANES, shape.rows - 1u);
  let start = row * shape.stride4;
  let mean = stats[row].x;
  let rstd = stats[row].y;
  // Padding columns of d_y are zeros, so g is zero there and needs no mask.
  var sums = vec2f();
  for (var c = lane; c < shape.stride4; c += LANES) {
    let g = d_y[start + c] * weight[c];
    let h = (x[start + c] - mean) * rstd;
    sums += vec2f(dot(g, vec4f(1.0)), dot(g, h));
  }
  var all = sums;
  if (LANES > 1u) {
    partial[index] = sums;
    workgroupBarrier();
    all = vec2f();
    for (var i = index / LANES * LANES; i < (index / LANES + 1u) * LANES; i++) { all += partial[i]; }
  }
  let mean_g = select(all.x / f32(shape.columns), 0.0, RMS == 1u);
  let mean_gh = all.y / f32(shape.columns);
  for (var c = lane; c < shape.stride4; c += LANES) {
    let g = d_y[start + c] * weight[c];
    let h = (x[start + c] - mean) * rstd;
    var value = rstd * (g - mean_g - h * mean_gh);
    value = select(vec4f(0.0), value, 4u * c + vec4u(0u, 1u, 2u, 3u) < vec4u(shape.columns));
    if (shape.has_previous != 0u) { value += previous[start + c]; }
    d_x[start + c] = value;
  }
}
