// out[i] = the sum of five vec2 chains, started at 1, 2, ... 5 times start[i], after $STEPS * turns steps, each of them
// x_c <- x_c a + x_(c-1) for all chains at once, with b for the first one's neighbour.
// Each invocation owns one vec2 of start and out, [count2]; 20 * $STEPS * turns operations, hardly any memory.
// Within a step the chains are independent, so that latency is hidden. That each one takes its neighbour in keeps a compiler from
// working them off one after another, as LLVM's scheduler does for some processors when they never meet, and from factoring a out.
// With 0 < a < 1 they settle at b / (1 - a)^c, never at a denormal.
@group(0) @binding(0) var<storage, read> start: array<vec2f>;
@group(0) @binding(1) var<storage, read_write> out: array<vec2f>;
struct Shape { count2: u32, turns: u32, a: f32, b: f32 }
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.count2) { return; }
  let a = shape.a;
  let b = shape.b;
  var x1 = start[id.x];
  var x2 = 2.0 * x1;
  var x3 = 3.0 * x1;
  var x4 = 4.0 * x1;
  var x5 = 5.0 * x1;
  for (var turn = 0u; turn < shape.turns; turn++) {
#repeat s $STEPS
    x5 = x5 * a + x4;
    x4 = x4 * a + x3;
    x3 = x3 * a + x2;
    x2 = x2 * a + x1;
    x1 = x1 * a + b;
#end
  }
  out[id.x] = x1 + x2 + x3 + x4 + x5;
}
