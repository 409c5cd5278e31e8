// C = A^T B: c[m,n] = sum_k a[k,m] b[k,n]. A is [k,m], B is [k,n], C is [m,n]; the gradient of a linear layer's weight.
// Also column sums of A (the gradient of the bias), added to `sums` where COLUMN_SUMS is 1 and, of a split k, stored slice by slice
// where it is 2: the first tile column has all of A in hand anyway.
// One invocation owns a block of $TM x $TN results and walks k four rows at a time; rows past the end count as zeros
// (RAGGED: there are some).
@group(0) @binding(0) var<storage, read> a: array<$A>;
@group(0) @binding(1) var<storage, read> b: array<$B>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> c: array<Result>;
alias Result = $C;
@group(0) @binding(6) var<storage, read_write> sums: array<vec4f>;
override COLUMN_SUMS: u32;
override RAGGED: u32;
$FUNCTIONS
$EPILOGUE
$BLOCK

fn a_or_zero(i: u32, row: u32, rows: u32) -> vec4f {
  if (RAGGED == 0u) { return vec4f(a[i]); }
  return f32(row < rows) * vec4f(a[i]);
}

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let tile = id.x + id.y * groups.x * 8u;
  let own = owned(tile);
  let m0 = own.x;
  let n0 = own.y;
  if (tile >= s.tiles || m0 >= s.m) { return; }
  let a0 = s.a_start4 + id.z * s.a_batch4;
  let b0 = s.b_start4 + id.z * s.b_batch4;
  let rows = inner_size(id.z, groups.z);
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
  for (var k = 0u; k < rows; k += 4u) {
    #repeat r 4
    let row{r} = min(k + {r}u, rows - 1u);
    #end
    #repeat p $TM4
    #repeat r 4
    let a{p}_{r} = a_or_zero(a_column{p} + row{r} * s.a_stride4, k + {r}u, rows);
    #end
    if (COLUMN_SUMS != 0u) { sum{p} += (a{p}_0 + a{p}_1) + (a{p}_2 + a{p}_3); }
    #end
    #repeat q $TN4
    #repeat r 4
    let b{q}_{r} = vec4f(b[b_column{q} + row{r} * s.b_stride4]);
    #end
    #repeat p $TM4
    x{p}_{q} += (a{p}_0.x * b{q}_0 + a{p}_1.x * b{q}_1) + (a{p}_2.x * b{q}_2 + a{p}_3.x * b{q}_3);
    y{p}_{q} += (a{p}_0.y * b{q}_0 + a{p}_1.y * b{q}_1) + (a{p}_2.y * b{q}_2 + a{p}_3.y * b{q}_3);
    z{p}_{q} += (a{p}_0.z * b{q}_0 + a{p}_1.z * b{q}_1) + (a{p}_2.z * b{q}_2 + a{p}_3.z * b{q}_3);
    w{p}_{q} += (a{p}_0.w * b{q}_0 + a{p}_1.w * b{q}_1) + (a{p}_2.w * b{q}_2 + a{p}_3.w * b{q}_3);
    #end
    #end
  }
  #repeat p $TM4
  if (n0 == 0u && m0 + {p}u * 4u < s.m) {
    if (COLUMN_SUMS == 1u) { sums[m0 / 4u + {p}u] += sum{p}; }
    if (COLUMN_SUMS == 2u) { sums[id.z * s.sums_slice4 + m0 / 4u + {p}u] = sum{p}; }
  }
  #end
  #repeat q $TN4
  {
    let bias4 = bias_at(n0 / 4u + {q}u);
    #repeat p $TM4
    finish(x{p}_{q}, bias4, m0 + {p}u * 4u, n0 / 4u + {q}u, id.z);
    finish(y{p}_{q}, bias4, m0 + {p}u * 4u + 1u, n0 / 4u + {q}u, id.z);
    finish(z{p}_{q}, bias4, m0 + {p}u * 4u + 2u, n0 / 4u + {q}u, id.z);
    finish(w{p}_{q}, bias4, m0 + {p}u * 4u + 3u, n0 / 4u + {q}u, id.z);
    #end
  }
  #end
}
