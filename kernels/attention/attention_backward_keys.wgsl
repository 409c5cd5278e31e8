// d_k_j = scale sum_t d_s_tj q_t and d_v_j = sum_t p_tj d_out_t, over the queries t >= j that see key j, in every query
// head that reads this key/value head; p and d_s as in attention_backward_queries.wgsl, which left D in stats.
// qkv: fused rows [rows * length, stride4] = q | k | v; d_qkv: the same layout, this kernel writes k and v.
// d_out [rows * length, heads * headStride]; stats [rows * length, heads] = (max, 1 / sum, D, start).
// Each invocation owns $KN consecutive keys of one key/value head and walks the queries one by one.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> d_out: array<vec4f>;
@group(0) @binding(2) var<storage, read> stats: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> d_qkv: array<vec4f>;
struct Shape {
  rows: u32,
  length: u32,
  heads: u32,
  group: u32, // query heads per key/value head
  stride4: u32,
  k_at: u32,
  v_at: u32,
  scale: f32,
}
@group(0) @binding(4) var<uniform> shape: Shape;
// 1 for the values of a head's last vec4, 0 for its padding: the gradient's padding is zero whatever d_out's is.
const TAIL = vec4f($TAIL);
$COMMON

@compute @workgroup_size($SIZE)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let kv_heads = shape.heads / shape.group;
  let own = ownedBlock(id.x + id.y * groups.x * $SIZEu, shape.rows * kv_heads, (shape.length + $KNu - 1u) / $KNu);
  if (own.pair >= shape.rows * kv_heads) { return; }
  let row = own.pair / kv_heads;
  let kv = own.pair % kv_heads;
  let first = own.block * $KNu;
  let base = row * shape.length;

  // Keys beyond the end repeat the last one and are not stored.
  #repeat j $KN
  let at{j} = (base + min(first + {j}u, shape.length - 1u)) * shape.stride4 + kv * $HD4u;
  #repeat d $HD4
  let k{j}_{d} = qkv[at{j} + shape.k_at + {d}u] * shape.scale;
  let v{j}_{d} = qkv[at{j} + shape.v_at + {d}u];
  var d_k{j}_{d} = vec4f(0.0);
  var d_v{j}_{d} = vec4f(0.0);
  #end
  #end

  // In packed rows most queries see none of these keys: one load each finds where those that do end.
  var end = first;
  for (var t = first; t < shape.length; t++) {
    let start = u32(stats[(base + t) * shape.heads].w);
    end = select(end, t + 1u, start < first + $KNu);
  }
  for (var n = first * shape.group; n < end * shape.group; n++) {
    let t = n / shape.group;
    let head = kv * shape.group + n % shape.group;
    let stat = stats[(base + t) * shape.heads + head];
    let start = u32(stat.w);
    let q_at = (base + t) * shape.stride4 + head * $HD4u;
    let out_at = ((base + t) * shape.heads + head) * $HD4u;
    #repeat j $KN
    var s{j} = 0.0;
    var d_p{j} = 0.0;
    #end
    #repeat d $HD4
    let q_{d} = qkv[q_at + {d}u];
    let g_{d} = d_out[out_at + {d}u];
    #repeat j $KN
    s{j} += dot(q_{d}, k{j}_{d});
    d_p{j} += dot(g_{d}, v{j}_{d});
    #end
    #end
    #repeat j $KN
    let see{j} = first + {j}u >= start && first + {j}u <= t;
    let p{j} = select(0.0, exp(s{j} - stat.x) * stat.y, see{j});
    let d_s{j} = p{j} * (d_p{j} - stat.z);
    #end
    #repeat d $HD4
    #repeat j $KN
    d_k{j}_{d} += d_s{j} * q_{d};
    d_v{j}_{d} += p{j} * g_{d};
    #end
    #end
  }

  #repeat j $KN
  if (first + {j}u < shape.length) {
    d_v{j}_$HD4_LAST *= TAIL;
    #repeat d $HD4
    d_qkv[at{j} + shape.k_at + {d}u] = d_k{j}_{d} * shape.scale;
    d_qkv[at{j} + shape.v_at + {d}u] = d_v{j}_{d};
    #end
  }
  #end
}
