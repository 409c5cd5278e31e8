// d_q_t = scale sum_j d_s_tj k_j, d_s_tj = p_tj (d_out_t v_j - D_t), D_t = d_out_t out_t (= sum_j p_tj d_out_t v_j);
// p is recomputed from stats. Also leaves D in stats.z for the keys' kernel, which must come after this one.
// qkv: fused rows [rows * length, stride4] = q | k | v; d_qkv: the same layout, this kernel writes the q part.
// out and d_out [rows * length, heads * headStride]; stats [rows * length, heads] = (max, 1 / sum, D, start).
// Each invocation owns $QB consecutive queries of one head and walks their keys one by one.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> out: array<$OUT>;
@group(0) @binding(2) var<storage, read> d_out: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> stats: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> d_qkv: array<vec4f>;
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
@group(0) @binding(5) var<uniform> shape: Shape;
$COMMON

@compute @workgroup_size($SIZE)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let own = ownedBlock(id.x + id.y * groups.x * $SIZEu, shape.rows * shape.heads, (shape.length + $QBu - 1u) / $QBu);
  if (own.pair >= shape.rows * shape.heads) { return; }
  let row = own.pair / shape.heads;
  let head = own.pair % shape.heads;
  let first = own.block * $QBu;

  // Queries beyond the end repeat the last one and are not stored.
  var low = shape.length;
  #repeat i $QB
  let t{i} = min(first + {i}u, shape.length - 1u);
  let token{i} = row * shape.length + t{i};
  let q_at{i} = token{i} * shape.stride4 + head * $HD4u;
  let out_at{i} = (token{i} * shape.heads + head) * $HD4u;
  var D{i} = 0.0;
  #repeat d $HD4
  let q{i}_{d} = qkv[q_at{i} + {d}u] * shape.scale;
  let g{i}_{d} = d_out[out_at{i} + {d}u];
  D{i} += dot(g{i}_{d}, vec4f(out[out_at{i} + {d}u]));
  var d_q{i}_{d} = vec4f(0.0);
  #end
  let stats{i} = stats[token{i} * shape.heads + head];
  let start{i} = u32(stats{i}.w);
  low = min(low, start{i});
  #end

  let last = min(first + $QB_LASTu, shape.length - 1u);
  let base = row * shape.length;
  let kv = head / shape.group * $HD4u;
  for (var j = low; j <= last; j++) {
    let k_at = (base + j) * shape.stride4 + shape.k_at + kv;
    let v_at = (base + j) * shape.stride4 + shape.v_at + kv;
    #repeat i $QB
    var s{i} = 0.0;
    var d_p{i} = 0.0;
    #end
    #repeat d $HD4
    let k_{d} = qkv[k_at + {d}u];
    {
      let v = qkv[v_at + {d}u];
      #repeat i $QB
      s{i} += dot(q{i}_{d}, k_{d});
      d_p{i} += dot(g{i}_{d}, v);
      #end
    }
    #end
    #repeat i $QB
    let see{i} = j >= start{i} && j <= t{i};
    let p{i} = select(0.0, exp(s{i} - stats{i}.x) * stats{i}.y, see{i});
    let d_s{i} = p{i} * (d_p{i} - D{i});
    #end
    #repeat d $HD4
    #repeat i $QB
    d_q{i}_{d} += k_{d} * d_s{i};
    #end
    #end
  }

  #repeat i $QB
  if (first + {i}u < shape.length) {
    #repeat d $HD4
    d_qkv[q_at{i} + {d}u] = d_q{i}_{d} * shape.scale;
    #end
    stats[token{i} * shape.heads + head] = vec4f(stats{i}.xy, D{i}, stats{i}.w);
  }
  #end
}
