// C = op(A) op(B) by a subgroup of eight, for software adapters: c[m,n] = sum_k op(a)[m,k] op(b)[k,n], and column sums of A when asked.
// A is [m,k], or [k,m] when TRANSPOSE_A; B is [k,n], or [n,k] when TRANSPOSE_B; C is [m,n].
// A workgroup is a subgroup and owns a tile of 32 x 32 results, its invocation `lane` the columns 4 lane .. 4 lane + 3 of it. Loads are
// what costs time: each invocation loads four rows of A for all and hands them round by `subgroupBroadcast`, so a tile takes 8 loads
// for 512 multiply-adds where blocks of 16 x 16 in single invocations take 16. k advances by four; sums are taken in the order of
// matmul_nn.wgsl, matmul_nt.wgsl and matmul_tn.wgsl: the results are the same bits.
// Rows and columns past the end are clamped, computed and thrown away; k past the end counts as zeros.
@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> c: array<Result>;
alias Result = $C;
@group(0) @binding(6) var<storage, read_write> sums: array<vec4f>;
override TRANSPOSE_A: u32;
override TRANSPOSE_B: u32;
override COLUMN_SUMS: u32;
override RAGGED: u32; // the inner size of some product is no multiple of four
$FUNCTIONS
$EPILOGUE

const FOUR = vec4u(0u, 1u, 2u, 3u);

// Rows k .. k + 3 of a matrix in which `stride` vec4s lie between rows, at the vec4s numbered `column` of each.
fn inner_rows(k: u32, inner: u32, stride: u32, column: u32) -> vec4u {
  return min(k + FOUR, vec4u(inner - 1u)) * stride + column;
}

// The four rows of op(A) that start at `at`, or its four columns at `at.x`: k .. k + 3 of each.
fn load_a(at: vec4u, k: u32, inner: u32) -> mat4x4f {
  if (TRANSPOSE_A == 0u) {
    let i = at + k / 4u;
    return mat4x4f(a[i.x], a[i.y], a[i.z], a[i.w]);
  }
  let i = inner_rows(k, inner, s.a_stride4, at.x);
  let rows = mat4x4f(a[i.x], a[i.y], a[i.z], a[i.w]);
  if (RAGGED == 0u) { return transpose(rows); }
  let real = vec4f(k + FOUR < vec4u(inner));
  return transpose(mat4x4f(real.x * rows[0], real.y * rows[1], real.z * rows[2], real.w * rows[3]));
}

// Rows k .. k + 3 of B's four columns; of a B^T those columns themselves, k .. k + 3 of each.
fn load_b(at: vec4u, k: u32, inner: u32) -> mat4x4f {
  var i = at + k / 4u;
  if (TRANSPOSE_B == 0u) { i = inner_rows(k, inner, s.b_stride4, at.x); }
  return mat4x4f(b[i.x], b[i.y], b[i.z], b[i.w]);
}

// Four k of a row of op(A) times those of four columns.
fn product(x: vec4f, y: mat4x4f) -> vec4f {
  if (TRANSPOSE_B == 1u) { return vec4f(dot(x, y[0]), dot(x, y[1]), dot(x, y[2]), dot(x, y[3])); }
  return (x.x * y[0] + x.y * y[1]) + (x.z * y[2] + x.w * y[3]);
}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = group.x + group.y * groups.x;
  if (tile >= s.tiles) { return; }
  let in_band = s.band * s.tiles_n;
  let j = tile % in_band;
  let m0 = (tile / in_band * s.band + j % s.band) * 32u;
  let n0 = j / s.band * 32u;
  if (m0 >= s.m) { return; }
  let column4 = n0 / 4u + lane;
  let inner = inner_size(group.z, groups.z);
  var a_at = min(m0 + 4u * lane + FOUR, vec4u(s.m - 1u)) * s.a_stride4;
  if (TRANSPOSE_A == 1u) { a_at = vec4u(min(m0 / 4u + lane, s.a_stride4 - 1u)); }
  a_at += s.a_start4 + group.z * s.a_batch4;
  var b_at = min(n0 + 4u * lane + FOUR, vec4u(s.n - 1u)) * s.b_stride4;
  if (TRANSPOSE_B == 0u) { b_at = vec4u(min(column4, s.b_stride4 - 1u)); }
  b_at += s.b_start4 + group.z * s.b_batch4;
  #repeat l 8
  #repeat i 4
  var c{l}_{i} = vec4f();
  #end
  #end
  var sum = vec4f();
  for (var k = 0u; k < inner; k += 4u) {
    let y = load_b(b_at, k, inner);
    let x = load_a(a_at, k, inner);
    #repeat l 8
    #repeat i 4
    c{l}_{i} += product(subgroupBroadcast(x[{i}], {l}u), y);
    #end
    #end
    if (COLUMN_SUMS != 0u) {
      let rows = transpose(x);
      sum += (rows[0] + rows[1]) + (rows[2] + rows[3]);
    }
  }
  if (n0 == 0u && m0 / 4u + lane < (s.m + 3u) / 4u) {
    if (COLUMN_SUMS == 1u) { sums[m0 / 4u + lane] += sum; }
    if (COLUMN_SUMS == 2u) { sums[group.z * s.sums_slice4 + m0 / 4u + lane] = sum; }
  }
  let bias4 = bias_at(column4);
  #repeat l 8
  #repeat i 4
  finish(c{l}_{i}, bias4, m0 + 4u * {l}u + {i}u, column4, group.z);
  #end
  #end
}
