// out[i] = sum of $CHAINS vec2 chains x -> a x + b after $STEPS * turns steps each, started at 1, 2, ... $CHAINS times start[i].
// Each invocation owns one vec2 of start and out, [count2]; 4 * $STEPS * $CHAINS * turns operations, hardly any memory.
// The chains are independent, so that latency is hidden; with 0 < a < 1 they settle at b / (1 - a), never at a denormal.
@group(0) @binding(0) var<storage, read> start: array<vec2f>;
@group(0) @binding(1) var<storage, read_write> out: array<vec2f>;
struct Shape { count2: u32, turns: u32, a: f32, b: f32 }
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.count2) { return; }
  let a = shape.a;
  let b = shape.b;
#repeat c $CHAINS
  var x{c} = start[id.x] * f32({c} + 1);
#end
  for (var turn = 0u; turn < shape.turns; turn++) {
#repeat s $STEPS
#repeat c $CHAINS
    x{c} = x{c} * a + b;
#end
#end
  }
  var sum = vec2f(0.0);
#repeat c $CHAINS
  sum += x{c};
#end
  out[id.x] = sum;
}
