// y = act(norm(x) W^T + bias) + residual in one launch, for the few rows of a decoding step: a launch costs more than their arithmetic.
// x [rows, columns]; weight [outputs, columns], for SwiGLU [2 outputs, columns] = [gate | up]; y and residual [rows, outputs].
// NORM 0: x as it is; 1: LayerNorm with norm_weight and norm_bias; 2: RMSNorm with norm_weight. Formulas are those of norm.wgsl,
// activation.wgsl and matmul_nt.wgsl. Each invocation owns one vec4 of y and finds its row's mean and variance itself.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read> norm_weight: array<vec4f>;
@group(0) @binding(4) var<storage, read> norm_bias: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4f>;
struct Shape { rows: u32, columns: u32, outputs: u32, eps: f32 }
@group(0) @binding(7) var<uniform> shape: Shape;
override NORM: u32;
override HAS_BIAS: u32;
override HAS_RESIDUAL: u32;
override ACTIVATION: u32;
$FUNCTIONS

struct Row { start: u32, mean: f32, rstd: f32 }

fn valid(column4: u32, columns: u32) -> vec4f {
  return select(vec4f(0.0), vec4f(1.0), 4u * column4 + vec4u(0u, 1u, 2u, 3u) < vec4u(columns));
}

fn statistics(start: u32, stride4: u32) -> Row {
  if (NORM == 0u) { return Row(start, 0.0, 1.0); }
  let count = f32(shape.columns);
  var mean = 0.0;
  if (NORM == 1u) {
    var sum = vec4f();
    for (var c = 0u; c < stride4; c++) { sum += x[start + c]; }
    mean = dot(sum, vec4f(1.0)) / count;
  }
  var square = 0.0;
  for (var c = 0u; c < stride4; c++) {
    let d = (x[start + c] - mean) * valid(c, shape.columns);
    square += dot(d, d);
  }
  return Row(start, mean, 1.0 / sqrt(square / count + shape.eps));
}

fn normed(row: Row, c: u32) -> vec4f {
  let value = x[row.start + c];
  if (NORM == 0u) { return value; }
  let scaled = (value - row.mean) * row.rstd * norm_weight[c];
  if (NORM == 2u) { return scaled; }
  return scaled + norm_bias[c];
}

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 8u;
  let columns4 = (shape.outputs + 3u) / 4u;
  if (i >= shape.rows * columns4) { return; }
  let column4 = i % columns4;
  let stride4 = (shape.columns + 3u) / 4u;
  let row = statistics(i / columns4 * stride4, stride4);
  #repeat r 4
  let w{r} = min(4u * column4 + {r}u, shape.outputs - 1u) * stride4;
  #end
  let up = shape.outputs * stride4;
  var sum = vec4f();
  var sum_up = vec4f();
  for (var c = 0u; c < stride4; c++) {
    let v = normed(row, c);
    sum += vec4f(dot(v, weight[w0 + c]), dot(v, weight[w1 + c]), dot(v, weight[w2 + c]), dot(v, weight[w3 + c]));
    if (ACTIVATION == SWIGLU) {
      sum_up += vec4f(dot(v, weight[up + w0 + c]), dot(v, weight[up + w1 + c]),
        dot(v, weight[up + w2 + c]), dot(v, weight[up + w3 + c]));
    }
  }
  if (HAS_BIAS == 1u) {
    sum += bias[column4];
    if (ACTIVATION == SWIGLU) { sum_up += bias[columns4 + column4]; }
  }
  var value = sum;
  if (ACTIVATION == SWIGLU) { value = silu(sum) * sum_up; } else { value = activate(sum, ACTIVATION); }
  if (HAS_RESIDUAL == 1u) { value += residual[i]; }
  y[i] = value * valid(column4, shape.outputs);
}
