// d_q_t = scale sum_j d_s_tj k_j with d_s_tj = p_tj (d_out_t v_j - D_t) and D_t = d_out_t out_t = sum_j p_tj d_out_t v_j;
// p is recomputed from stats. Also leaves D in stats.z for the keys' kernel, which must come after this one.
// queries: fused rows [rows * length, stride4] = q | k | v; d_queries: the same layout, this kernel writes the q part.
// out and d_out [rows * length, heads * headStride]; stats [rows * length, heads] = (max, 1 / sum, D, start).
// Each invocation owns $QB consecutive queries of one head and walks their keys four at a time.
@group(0) @binding(0) var<storage, read> queries: array<vec4f>;
@group(0) @binding(1) var<storage, read> out: array<vec4f>;
@group(0) @binding(2) var<storage, read> d_out: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> stats: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> d_queries: array<vec4f>;
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
  let q{i}_{d} = queries[q_at{i} + {d}u] * shape.scale;
  let g{i}_{d} = d_out[out_at{i} + {d}u];
  D{i} += dot(g{i}_{d}, out[out_at{i} + {d}u]);
  var d_q{i}_{d} = vec4f(0.0);
  #end
  let stats{i} = stats[token{i} * shape.heads + head];
  let start{i} = u32(stats{i}.w);
  low = min(low, start{i});
  #end

  let last = min(first + $QB_LASTu, shape.length - 1u);
  let base = row * shape.length;
  let kv = head / shape.group * $HD4u;
  for (var j = low; j <= last; j += 4u) {
    let inside = vec4u(j, j + 1u, j + 2u, j + 3u);
    let row4 = (base + min(inside, vec4u(last))) * shape.stride4 + kv;
    let k4 = row4 + shape.k_at;
    let v4 = row4 + shape.v_at;
    #repeat i $QB
    var s{i} = vec4f(0.0);
    var d_p{i} = vec4f(0.0);
    #end
    #repeat d $HD4
    let k_{d} = mat4x4f(queries[k4.x + {d}u], queries[k4.y + {d}u], queries[k4.z + {d}u], queries[k4.w + {d}u]);
    {
      let v = mat4x4f(queries[v4.x + {d}u], queries[v4.y + {d}u], queries[v4.z + {d}u], queries[v4.w + {d}u]);
      #repeat i $QB
      s{i} += q{i}_{d} * k_{d};
      d_p{i} += g{i}_{d} * v;
      #end
    }
    #end
    #repeat i $QB
    let see{i} = inside >= vec4u(start{i}) & inside <= vec4u(t{i});
    let p{i} = select(vec4f(0.0), exp(s{i} - stats{i}.x) * stats{i}.y, see{i});
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
    d_queries[q_at{i} + {d}u] = d_q{i}_{d} * shape.scale;
    #end
    stats[token{i} * shape.heads + head] = vec4f(stats{i}.xy, D{i}, stats{i}.w);
  }
  #end
}
