// C = op(A) op(B) for GPUs: a workgroup computes a $TILE x $TILE tile of C, walking k sixteen at a time through workgroup memory.
// A is [m,k], or [k,m] when TRANSPOSE_A; B is [k,n], or [n,k] when TRANSPOSE_B; C is [m,n]. Also column sums of A when asked.
// 256 invocations. The tile is $Q x $Q squares of 64 x 64; in each square an invocation owns a 4 x 4 block of C, and of each
// operand it loads one vec4 per square and step. Neighbours own neighbouring blocks, so their loads share cache lines.
// Edges count as zeros. The walk inside a tile is unrolled by four: a loop per k would reach the limit on loops at a vocabulary
// of 61,000. Tiles are f32 arrays because two invocations may not write parts of one vec4.
@group(0) @binding(0) var<storage, read> a: array<$A>;
@group(0) @binding(1) var<storage, read> b: array<$B>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> c: array<Result>;
alias Result = $C;
@group(0) @binding(6) var<storage, read_write> sums: array<vec4f>;
override TRANSPOSE_A: u32;
override TRANSPOSE_B: u32;
override COLUMN_SUMS: u32;
var<workgroup> tile_a: array<f32, $TILE_SIZE>; // [16 k][$TILE m]
var<workgroup> tile_b: array<f32, $TILE_SIZE>; // [16 k][$TILE n]
$FUNCTIONS
$EPILOGUE

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32,
        @builtin(num_workgroups) groups: vec3u) {
  let tile = group.x + group.y * groups.x;
  let inside = tile < s.tiles; // no early return: barriers follow
  let m0 = tile / s.tiles_n * $TILEu;
  let n0 = tile % s.tiles_n * $TILEu;
  let a0 = s.a_start4 + group.z * s.a_batch4;
  let b0 = s.b_start4 + group.z * s.b_batch4;
  let inner = inner_size(group.z, groups.z);
  let x = t % 16u;
  let y = t / 16u;
  #repeat p $Q
  #repeat q $Q
  #repeat i 4
  var c{p}_{q}_{i} = vec4f();
  #end
  #end
  var sum{p} = vec4f();
  #end
  for (var k0 = 0u; k0 < inner; k0 += 16u) {
    #repeat p $Q
    if (TRANSPOSE_A == 1u) { // [k, m]: sixteen vec4s of one k
      let m = m0 + {p}u * 64u + 4u * x;
      var v = vec4f();
      if (inside && k0 + y < inner && m < s.m) { v = vec4f(a[a0 + (k0 + y) * s.a_stride4 + m / 4u]); }
      let at = y * $TILEu + {p}u * 64u + 4u * x;
      tile_a[at] = v.x; tile_a[at + 1u] = v.y; tile_a[at + 2u] = v.z; tile_a[at + 3u] = v.w;
    } else { // [m, k]: four vec4s of one m
      let m = m0 + {p}u * 64u + t / 4u;
      let k = 4u * (t % 4u);
      var v = vec4f();
      if (inside && m < s.m && k0 + k < inner) { v = vec4f(a[a0 + m * s.a_stride4 + (k0 + k) / 4u]); }
      let at = k * $TILEu + {p}u * 64u + t / 4u;
      tile_a[at] = v.x; tile_a[at + $TILEu] = v.y; tile_a[at + 2u * $TILEu] = v.z; tile_a[at + 3u * $TILEu] = v.w;
    }
    if (TRANSPOSE_B == 0u) { // [k, n]
      let n = n0 + {p}u * 64u + 4u * x;
      var v = vec4f();
      if (inside && k0 + y < inner && n < s.n) { v = vec4f(b[b0 + (k0 + y) * s.b_stride4 + n / 4u]); }
      let at = y * $TILEu + {p}u * 64u + 4u * x;
      tile_b[at] = v.x; tile_b[at + 1u] = v.y; tile_b[at + 2u] = v.z; tile_b[at + 3u] = v.w;
    } else { // [n, k]
      let n = n0 + {p}u * 64u + t / 4u;
      let k = 4u * (t % 4u);
      var v = vec4f();
      if (inside && n < s.n && k0 + k < inner) { v = vec4f(b[b0 + n * s.b_stride4 + (k0 + k) / 4u]); }
      let at = k * $TILEu + {p}u * 64u + t / 4u;
      tile_b[at] = v.x; tile_b[at + $TILEu] = v.y; tile_b[at + 2u * $TILEu] = v.z; tile_b[at + 3u * $TILEu] = v.w;
    }
    #end
    workgroupBarrier();
    for (var k = 0u; k < 16u; k += 4u) {
      #repeat r 4
      {
        #repeat p $Q
        let ia{p} = (k + {r}u) * $TILEu + {p}u * 64u + 4u * y;
        let ib{p} = (k + {r}u) * $TILEu + {p}u * 64u + 4u * x;
        let a{p} = vec4f(tile_a[ia{p}], tile_a[ia{p} + 1u], tile_a[ia{p} + 2u], tile_a[ia{p} + 3u]);
        let b{p} = vec4f(tile_b[ib{p}], tile_b[ib{p} + 1u], tile_b[ib{p} + 2u], tile_b[ib{p} + 3u]);
        #end
        #repeat p $Q
        #repeat q $Q
        #repeat i 4
        c{p}_{q}_{i} += a{p}[{i}] * b{q};
        #end
        #end
        if (COLUMN_SUMS != 0u) { sum{p} += a{p}; }
        #end
      }
      #end
    }
    workgroupBarrier();
  }
  if (!inside) { return; }
  #repeat q $Q
  {
    let column4 = n0 / 4u + {q}u * 16u + x;
    let bias4 = bias_at(column4);
    #repeat p $Q
    #repeat i 4
    finish(c{p}_{q}_{i}, bias4, m0 + {p}u * 64u + 4u * y + {i}u, column4, group.z);
    #end
    #end
  }
  #end
  #repeat p $Q
  {
    let m = m0 + {p}u * 64u + 4u * y;
    if (n0 == 0u && x == 0u && m < s.m) {
      if (COLUMN_SUMS == 1u) { sums[m / 4u] += sum{p}; }
      if (COLUMN_SUMS == 2u) { sums[group.z * s.sums_slice4 + m / 4u] = sum{p}; }
    }
  }
  #end
}
