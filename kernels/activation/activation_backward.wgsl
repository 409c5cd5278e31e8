// d_x = d_y * act'(x); for SwiGLU d_gate = d_y * up * silu'(gate) and d_up = d_y * silu(gate).
// Shapes as in activation.wgsl; d_x has the shape of x. Each invocation owns one vec4 of d_y.
@group(0) @binding(0) var<storage, read> x: array<$X>;
@group(0) @binding(1) var<storage, read> d_y: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> d_x: array<vec4f>;
struct Shape { rows: u32, columns4: u32, x_stride4: u32 }
@group(0) @binding(3) var<uniform> shape: Shape;
$FUNCTIONS
override KIND: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= shape.rows * shape.columns4) { return; }
  let row = i / shape.columns4;
  let column = i % shape.columns4;
  let at = row * shape.x_stride4 + column;
  let a = vec4f(x[at]);
  let d = d_y[i];
  if (KIND == SWIGLU) {
    let up = vec4f(x[at + shape.columns4]);
    d_x[at] = d * up * silu_slope(a);
    d_x[at + shape.columns4] = d * silu(a);
  } else {
    d_x[at] = d * activate_slope(a, KIND);
  }
}
