// out_t = sum_j p_tj v_j, p_tj = softmax_j(q_t k_j / sqrt(headDim)), keys j from starts to t of the same row: flash
// attention (Dao et al., arXiv:2205.14135), one pass over the keys with a running maximum, no T x T matrix.
// queries: fused rows [rows * length, q_stride4], the q heads first; keys: rows of k at k_at and v at v_at of
// kv_stride4; out [rows * length, heads * headStride]; stats [rows * length, heads] = (max, 1 / sum, 0, start).
// cached: keys is a cache of `capacity` tokens per row, starts has one entry per row, and query t is token
// cursor[0] + t. Otherwise queries and keys are the same rows, capacity = length, and cursor is not read.
// Each invocation owns $QB consecutive queries of one head and walks their keys one by one.
@group(0) @binding(0) var<storage, read> queries: array<vec4f>;
@group(0) @binding(1) var<storage, read> keys: array<vec4f>;
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read> cursor: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<$OUT>;
@group(0) @binding(5) var<storage, read_write> stats: array<vec4f>;
struct Shape {
  rows: u32,
  length: u32,
  capacity: u32,
  heads: u32,
  group: u32, // query heads per key/value head
  q_stride4: u32,
  kv_stride4: u32,
  k_at: u32,
  v_at: u32,
  cached: u32, // 1 or 0
  scale: f32,
}
@group(0) @binding(6) var<uniform> shape: Shape;
$COMMON

@compute @workgroup_size($SIZE)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let own = ownedBlock(id.x + id.y * groups.x * $SIZEu, shape.rows * shape.heads, (shape.length + $QBu - 1u) / $QBu);
  if (own.pair >= shape.rows * shape.heads) { return; }
  let row = own.pair / shape.heads;
  let head = own.pair % shape.heads;
  let first = own.block * $QBu;
  let before = select(0u, cursor[0], shape.cached == 1u);

  // Queries beyond the end repeat the last one and are not stored.
  var low = 0xffffffffu;
  #repeat i $QB
  let t{i} = min(first + {i}u, shape.length - 1u);
  let token{i} = row * shape.length + t{i};
  let end{i} = before + t{i};
  let start{i} = starts[select(token{i}, row, shape.cached == 1u)];
  low = min(low, start{i});
  let q_at{i} = token{i} * shape.q_stride4 + head * $HD4u;
  #repeat d $HD4
  let q{i}_{d} = queries[q_at{i} + {d}u] * shape.scale;
  var o{i}_{d} = vec4f(0.0);
  #end
  var max{i} = LOWEST;
  var sum{i} = 0.0;
  #end

  let last = before + min(first + $QB_LASTu, shape.length - 1u);
  let base = row * shape.capacity;
  let kv = head / shape.group * $HD4u;
  for (var j = low; j <= last; j++) {
    let k_at = (base + j) * shape.kv_stride4 + shape.k_at + kv;
    let v_at = (base + j) * shape.kv_stride4 + shape.v_at + kv;
    #repeat i $QB
    var s{i} = 0.0;
    #end
    #repeat d $HD4
    {
      let k = keys[k_at + {d}u];
      #repeat i $QB
      s{i} += dot(q{i}_{d}, k);
      #end
    }
    #end
    #repeat i $QB
    let see{i} = j >= start{i} && j <= end{i};
    let masked{i} = select(LOWEST, s{i}, see{i});
    let top{i} = max(max{i}, masked{i});
    let shrink{i} = exp(max{i} - top{i});
    let p{i} = select(0.0, exp(masked{i} - top{i}), see{i});
    sum{i} = sum{i} * shrink{i} + p{i};
    max{i} = top{i};
    #end
    #repeat d $HD4
    {
      let v = keys[v_at + {d}u];
      #repeat i $QB
      o{i}_{d} = o{i}_{d} * shrink{i} + v * p{i};
      #end
    }
    #end
  }

  #repeat i $QB
  if (first + {i}u < shape.length) {
    let inverse = select(0.0, 1.0 / sum{i}, sum{i} > 0.0);
    let out_at = (token{i} * shape.heads + head) * $HD4u;
    #repeat d $HD4
    out[out_at + {d}u] = $OUT(o{i}_{d} * inverse);
    #end
    stats[token{i} * shape.heads + head] = vec4f(max{i}, inverse, 0.0, f32(start{i}));
  }
  #end
}
