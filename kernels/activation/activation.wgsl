// y = act(x) for every element, or SwiGLU y = silu(gate) * up when SWIGLU.
// x is [rows, columns], or [rows, 2 columns] = [gate | up] for SwiGLU; y is [rows, columns].
// Each invocation computes one vec4 of y. Padding columns hold act(0) = 0, so zeros stay zeros.
@group(0) @binding(0) var<storage, read> x: array<$X>;
@group(0) @binding(1) var<storage, read_write> y: array<$Y>;
struct Shape { rows: u32, columns4: u32, x_stride4: u32 }
@group(0) @binding(2) var<uniform> shape: Shape;
$FUNCTIONS
override KIND: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= shape.rows * shape.columns4) { return; }
  let row = i / shape.columns4;
  let column = i % shape.columns4;
  let a = vec4f(x[row * shape.x_stride4 + column]);
  if (KIND == SWIGLU) {
    y[i] = $Y(silu(a) * vec4f(x[row * shape.x_stride4 + shape.columns4 + column]));
  } else {
    y[i] = $Y(activate(a, KIND));
  }
}
