// The attention of attention.wgsl for few queries: the keys of ONE query are shared out over a workgroup's lanes.
// queries: fused rows [rows * length, q_stride4], the q heads first; keys [rows * capacity, kv_stride4] = k | v,
// filled up to the query's own index cursor[0] + t; starts [rows]; out [rows * length, heads * headStride].
// One workgroup per (row, t, head). Lane n walks the keys starts + n, starts + n + LANES, ... with a running maximum
// of its own; then the lanes merge: out = sum_n e^(max_n - max) o_n / sum_n e^(max_n - max) sum_n.
@group(0) @binding(0) var<storage, read> queries: array<vec4f>;
@group(0) @binding(1) var<storage, read> keys: array<vec4f>;
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read> cursor: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;
struct Shape {
  rows: u32,
  length: u32,
  capacity: u32,
  heads: u32,
  group: u32, // query heads per key/value head
  q_stride4: u32,
  kv_stride4: u32,
  v_at: u32,
  scale: f32,
}
@group(0) @binding(5) var<uniform> shape: Shape;
const LOWEST = -3.4e38;

var<workgroup> peaks: array<f32, $LANES>;
var<workgroup> sums: array<f32, $LANES>;
var<workgroup> parts: array<vec4f, $PARTS>; // [LANES, headStride / 4]

@compute @workgroup_size($LANES)
fn main(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  // Spare workgroups of the folded grid repeat the last query, so that every lane reaches the barrier.
  let own = min(id.x + id.y * groups.x, shape.rows * shape.length * shape.heads - 1u);
  let token = own / shape.heads;
  let head = own % shape.heads;
  let row = token / shape.length;
  let q_at = token * shape.q_stride4 + head * $HD4u;
  #repeat d $HD4
  let q{d} = queries[q_at + {d}u] * shape.scale;
  var o{d} = vec4f(0.0);
  #end
  var peak = LOWEST;
  var sum = 0.0;

  let last = min(cursor[0] + token % shape.length, shape.capacity - 1u);
  for (var j = starts[row] + lane; j <= last; j += $LANESu) {
    let k_at = (row * shape.capacity + j) * shape.kv_stride4 + head / shape.group * $HD4u;
    let v_at = k_at + shape.v_at;
    var s = 0.0;
    #repeat d $HD4
    s += dot(q{d}, keys[k_at + {d}u]);
    #end
    let top = max(peak, s);
    let shrink = exp(peak - top);
    let p = exp(s - top);
    sum = sum * shrink + p;
    peak = top;
    #repeat d $HD4
    o{d} = o{d} * shrink + p * keys[v_at + {d}u];
    #end
  }

  peaks[lane] = peak;
  sums[lane] = sum;
  #repeat d $HD4
  parts[lane * $HD4u + {d}u] = o{d};
  #end
  workgroupBarrier();

  var top = LOWEST;
  for (var n = 0u; n < $LANESu; n++) { top = max(top, peaks[n]); }
  var total = 0.0;
  for (var n = 0u; n < $LANESu; n++) { total += exp(peaks[n] - top) * sums[n]; }
  let inverse = select(0.0, 1.0 / total, total > 0.0);
  for (var d = lane; d < $HD4u; d += $LANESu) {
    var value = vec4f(0.0);
    for (var n = 0u; n < $LANESu; n++) { value += exp(peaks[n] - top) * parts[n * $HD4u + d]; }
    out[own * $HD4u + d] = value * inverse;
  }
}
