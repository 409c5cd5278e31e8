// C = A^T B: c[m,n] = sum_k a[k,m] b[k,n]. A is [k,m], B is [k,n], C is [m,n]; the gradient of a linear layer's weight.
// Also column sums of A (the gradient of the bias) where column_sums is 1: the first tile column has all of A in hand anyway.
// One invocation owns a block of $TM x $TN results and walks k four rows at a time; rows past the end count as zeros.
@group(0) @binding(0) var<storage, read> a: array<$A>;
@group(0) @binding(1) var<storage, read> b: array<$B>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> c: array<Result>;
alias Result = $C;
@group(0) @binding(6) var<storage, read_write> sums: array<vec4f>;
override COLUMN_SUMS: u32;
$FUNCTIONS
$EPILOGUE

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let tile = id.x + id.y * groups.x * 8u;
  if (tile >= s.tiles) { return; }
  let m0 = tile / s.tiles_n * $TM;
  let n0 = tile % s.tiles_n * $TN;
  let a0 = s.a_start4 + id.z * s.a_batch4;
  let b0 = s.b_start4 + id.z * s.b_batch4;
  #repeat p $TM4
  let a_column{p} = a0 + min(m0 / 4u + {p}u, s.a_stride4 - 1u);
  #repeat q $TN4
  var x{p}_{q} = vec4f();
  var y{p}_{q} = vec4f();
  var z{p}_{q} = vec4f();
  var w{p}_{q} = vec4f();
  #end
  var sum{p} = vec4f();
  #end
  #repeat q $TN4
  let b_column{q} = b0 + min(n0 / 4u + {q}u, s.b_stride4 - 1u);
  #end
  for (var k = 0u; k < s.k; k += 4u) {
    #repeat r 4
    let row{r} = min(k + {r}u, s.k - 1u);
    let inside{r} = f32(k + {r}u < s.k);
    #repeat q $TN4
    let b{q}_{r} = vec4f(b[b_column{q} + row{r} * s.b_stride4]);
    #end
    #end
    #repeat p $TM4
    #repeat r 4
    let a{p}_{r} = inside{r} * vec4f(a[a_column{p} + row{r} * s.a_stride4]);
    #end
    #repeat q $TN4
    x{p}_{q} += (a{p}_0.x * b{q}_0 + a{p}_1.x * b{q}_1) + (a{p}_2.x * b{q}_2 + a{p}_3.x * b{q}_3);
    y{p}_{q} += (a{p}_0.y * b{q}_0 + a{p}_1.y * b{q}_1) + (a{p}_2.y * b{q}_2 + a{p}_3.y * b{q}_3);
    z{p}_{q} += (a{p}_0.z * b{q}_0 + a{p}_1.z * b{q}_1) + (a{p}_2.z * b{q}_2 + a{p}_3.z * b{q}_3);
    w{p}_{q} += (a{p}_0.w * b{q}_0 + a{p}_1.w * b{q}_1) + (a{p}_2.w * b{q}_2 + a{p}_3.w * b{q}_3);
    #end
    if (COLUMN_SUMS == 1u) { sum{p} += (a{p}_0 + a{p}_1) + (a{p}_2 + a{p}_3); }
    #end
  }
  // One copy of the epilogue in a loop: unrolled with the block it would be most of the compile time.
  var block: array<array<vec4f, $TN4>, $TM>;
  #repeat p $TM4
  #repeat q $TN4
  block[{p} * 4][{q}] = x{p}_{q};
  block[{p} * 4 + 1][{q}] = y{p}_{q};
  block[{p} * 4 + 2][{q}] = z{p}_{q};
  block[{p} * 4 + 3][{q}] = w{p}_{q};
  #end
  if (COLUMN_SUMS == 1u && n0 == 0u && m0 + {p}u * 4u < s.m) { sums[m0 / 4u + {p}u] += sum{p}; }
  #end
  for (var i = 0u; i < $TM; i++) {
    for (var q = 0u; q < $TN4; q++) { finish(block[i][q], m0 + i, n0 / 4u + q, id.z); }
  }
}
