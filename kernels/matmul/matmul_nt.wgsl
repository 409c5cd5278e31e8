// C = A B^T: c[m,n] = sum_k a[m,k] b[n,k]. A is [m,k], B is [n,k], C is [m,n]; the form of every linear layer.
// One invocation owns a block of $TM x $TN results in registers and walks k four at a time; see matmul_nn.wgsl.
// Rows past the end are clamped to the last one: they are computed and thrown away, never out of bounds.
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
  #repeat r 4
  let b_row{q}_{r} = b0 + min(n0 + {q}u * 4u + {r}u, s.n - 1u) * s.b_stride4;
  #end
  #end
  let steps = (s.k + 3u) / 4u;
  for (var k = 0u; k < steps; k++) {
    #repeat i $TM
    let a{i} = vec4f(a[a_row{i} + k]);
    #end
    #repeat q $TN4
    #repeat r 4
    let b{q}_{r} = vec4f(b[b_row{q}_{r} + k]);
    #end
    #repeat i $TM
    c{i}_{q} += vec4f(dot(a{i}, b{q}_0), dot(a{i}, b{q}_1), dot(a{i}, b{q}_2), dot(a{i}, b{q}_3));
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
