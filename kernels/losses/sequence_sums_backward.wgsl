// d_x[t] = d_sums[sequence_of[t]], or 0 where the token belongs to no sequence (a number that is not below `sequences`).
// d_x, sequence_of [tokens]; d_sums [sequences]. Each invocation owns a token.
@group(0) @binding(0) var<storage, read> d_sums: array<f32>;
@group(0) @binding(1) var<storage, read> sequence_of: array<u32>;
@group(0) @binding(2) var<storage, read_write> d_x: array<f32>;
struct Shape { sequences: u32, tokens: u32 }
@group(0) @binding(3) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let t = id.x + id.y * groups.x * 64u;
  if (t >= shape.tokens) { return; }
  let sequence = sequence_of[t];
  d_x[t] = select(0.0, d_sums[min(sequence, shape.sequences - 1u)], sequence < shape.sequences);
}
