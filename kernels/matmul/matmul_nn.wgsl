// C = A B: c[m,n] = sum_k a[m,k] b[k,n]. A is [m,k], B is [k,n], C is [m,n]; the gradient of a linear layer's input.
// One invocation owns a block of $TM x $TN results in registers and walks k four at a time. Loads are what costs time on a
// software adapter, and a block needs $TM + $TN of them for 4 $TM $TN multiply-adds. Each result is touched once per four k
// (c += (a.x b0 + a.y b1) + (a.z b2 + a.w b3)), which measured half again as fast as one k at a time.
// Rows past the end are clamped; A's padding columns are zeros, so the clamped rows of B beyond k add nothing.
@group(0) @binding(0) var<storage, read> a: array<$A>;
@group(0) @binding(1) var<storage, read> b: array<$B>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> c: array<Result>;
alias Result = $C;
$FUNCTIONS
$EPILOGUE
$BLOCK

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let tile = id.x + id.y * groups.x * 8u;
  let own = owned(tile);
  let m0 = own.x;
  let n0 = own.y;
  if (tile >= s.tiles || m0 >= s.m) { return; }
  let a0 = s.a_start4 + id.z * s.a_batch4;
  let b0 = s.b_start4 + id.z * s.b_batch4;
  #repeat i $TM
  let a_row{i} = a0 + min(m0 + {i}u, s.m - 1u) * s.a_stride4;
  #repeat q $TN4
  var c{i}_{q} = vec4f();
  #end
  #end
  #repeat q $TN4
  let b_column{q} = b0 + min(n0 / 4u + {q}u, s.b_stride4 - 1u);
  #end
  let steps = (s.k + 3u) / 4u;
  for (var k = 0u; k < steps; k++) {
    #repeat r 4
    let b_row{r} = min(4u * k + {r}u, s.k - 1u) * s.b_stride4;
    #end
    #repeat i $TM
    let a{i} = vec4f(a[a_row{i} + k]);
    #end
    #repeat q $TN4
    #repeat r 4
    let b{q}_{r} = vec4f(b[b_row{r} + b_column{q}]);
    #end
    #repeat i $TM
    c{i}_{q} += (a{i}.x * b{q}_0 + a{i}.y * b{q}_1) + (a{i}.z * b{q}_2 + a{i}.w * b{q}_3);
    #end
    #end
  }
  #repeat q $TN4
  {
    let bias4 = bias_at(n0 / 4u + {q}u);
    #repeat i $TM
    finish(c{i}_{q}, bias4, m0 + {i}u, n0 / 4u + {q}u, id.z);
    #end
  }
  #end
}
