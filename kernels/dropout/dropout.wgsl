// y = x * keep / (1 - p), keep = 1 where uniform(seed[0], stream, row * columns + column) >= p; plus `previous` when ACCUMULATE.
// The backward pass is the same kernel on d_y: the mask is computed again, not stored. x, y, previous [rows, columns].
// Each workgroup owns chunk4 vec4 values.
@group(0) @binding(0) var<storage, read> x: array<$X>;
@group(0) @binding(1) var<storage, read> seed: array<vec4u>;
@group(0) @binding(2) var<storage, read> previous: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
struct Shape { rows: u32, columns: u32, columns4: u32, chunk4: u32, stream: u32, p: f32, factor: f32 }
@group(0) @binding(4) var<uniform> shape: Shape;
override LANES: u32;
override ACCUMULATE: bool = false;
$RANDOM_FUNCTIONS

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let key = stream_key(seed[0].x, shape.stream);
  let end = min((group.x + 1u) * shape.chunk4, shape.rows * shape.columns4);
  for (var i = group.x * shape.chunk4 + local.x; i < end; i += LANES) {
    let row = i / shape.columns4;
    let index = row * shape.columns + 4u * (i % shape.columns4) + vec4u(0u, 1u, 2u, 3u);
    let keep = uniform4(random4(key, index)) >= vec4f(shape.p);
    var out = select(vec4f(0.0), shape.factor * vec4f(x[i]), keep);
    if (ACCUMULATE) { out += previous[i]; }
    y[i] = out;
  }
}
