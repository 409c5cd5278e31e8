// C = op(A) op(B) for GPUs: a workgroup computes a 64 x 64 tile of C, walking k sixteen at a time through workgroup memory.
// A is [m,k], or [k,m] when TRANSPOSE_A; B is [k,n], or [n,k] when TRANSPOSE_B; C is [m,n]. Also column sums of A when asked.
// 256 invocations: each loads one vec4 of A and one of B per tile and owns a 4 x 4 block of C. Edges count as zeros.
// The walk inside a tile is unrolled by four: a loop per k would reach the limit on loops at a vocabulary of 61,000.
// Tiles are f32 arrays because two invocations may not write parts of one vec4.
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
var<workgroup> tile_a: array<f32, 1024>; // [16 k][64 m]
var<workgroup> tile_b: array<f32, 1024>; // [16 k][64 n]
$FUNCTIONS
$EPILOGUE

fn spread_a(k: u32, m: u32, v: vec4f) {
  tile_a[k * 64u + m] = v.x;
  tile_a[(k + 1u) * 64u + m] = v.y;
  tile_a[(k + 2u) * 64u + m] = v.z;
  tile_a[(k + 3u) * 64u + m] = v.w;
}

fn spread_b(k: u32, n: u32, v: vec4f) {
  tile_b[k * 64u + n] = v.x;
  tile_b[(k + 1u) * 64u + n] = v.y;
  tile_b[(k + 2u) * 64u + n] = v.z;
  tile_b[(k + 3u) * 64u + n] = v.w;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32,
        @builtin(num_workgroups) groups: vec3u) {
  let tile = group.x + group.y * groups.x;
  let inside = tile < s.tiles; // no early return: barriers follow
  let m0 = tile / s.tiles_n * 64u;
  let n0 = tile % s.tiles_n * 64u;
  let a0 = s.a_start4 + group.z * s.a_batch4;
  let b0 = s.b_start4 + group.z * s.b_batch4;
  let x = t % 16u;
  let y = t / 16u;
  var c0 = vec4f();
  var c1 = vec4f();
  var c2 = vec4f();
  var c3 = vec4f();
  var sum = vec4f();
  for (var k0 = 0u; k0 < s.k; k0 += 16u) {
    if (TRANSPOSE_A == 1u) { // [k, m]: one row of 16 vec4s per k
      var v = vec4f();
      if (inside && k0 + y < s.k && m0 + 4u * x < s.m) { v = vec4f(a[a0 + (k0 + y) * s.a_stride4 + m0 / 4u + x]); }
      let at = y * 64u + 4u * x;
      tile_a[at] = v.x; tile_a[at + 1u] = v.y; tile_a[at + 2u] = v.z; tile_a[at + 3u] = v.w;
    } else { // [m, k]: four vec4s per row
      let row = t / 4u;
      let q = t % 4u;
      var v = vec4f();
      if (inside && m0 + row < s.m && k0 + 4u * q < s.k) { v = vec4f(a[a0 + (m0 + row) * s.a_stride4 + k0 / 4u + q]); }
      spread_a(4u * q, row, v);
    }
    if (TRANSPOSE_B == 0u) {
      var v = vec4f();
      if (inside && k0 + y < s.k && n0 + 4u * x < s.n) { v = vec4f(b[b0 + (k0 + y) * s.b_stride4 + n0 / 4u + x]); }
      let at = y * 64u + 4u * x;
      tile_b[at] = v.x; tile_b[at + 1u] = v.y; tile_b[at + 2u] = v.z; tile_b[at + 3u] = v.w;
    } else {
      let row = t / 4u;
      let q = t % 4u;
      var v = vec4f();
      if (inside && n0 + row < s.n && k0 + 4u * q < s.k) { v = vec4f(b[b0 + (n0 + row) * s.b_stride4 + k0 / 4u + q]); }
      spread_b(4u * q, row, v);
    }
    workgroupBarrier();
    for (var k = 0u; k < 16u; k += 4u) {
      #repeat r 4
      {
        let ia = (k + {r}u) * 64u + 4u * y;
        let ib = (k + {r}u) * 64u + 4u * x;
        let av = vec4f(tile_a[ia], tile_a[ia + 1u], tile_a[ia + 2u], tile_a[ia + 3u]);
        let bv = vec4f(tile_b[ib], tile_b[ib + 1u], tile_b[ib + 2u], tile_b[ib + 3u]);
        c0 += av.x * bv;
        c1 += av.y * bv;
        c2 += av.z * bv;
        c3 += av.w * bv;
        if (COLUMN_SUMS == 1u) { sum += av; }
      }
      #end
    }
    workgroupBarrier();
  }
  if (!inside) { return; }
  let row = m0 + 4u * y;
  let column4 = n0 / 4u + x;
  let bias4 = bias_at(column4);
  finish(c0, bias4, row, column4, group.z);
  finish(c1, bias4, row + 1u, column4, group.z);
  finish(c2, bias4, row + 2u, column4, group.z);
  finish(c3, bias4, row + 3u, column4, group.z);
  if (COLUMN_SUMS == 1u && n0 == 0u && x == 0u && row < s.m) { sums[row / 4u] += sum; }
}
