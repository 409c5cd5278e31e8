// Random numbers without state: PCG-RXS-M-XS-32 (O'Neill, 2014) as a hash (Jarzynski and Olano, JCGT 9(3), 2020).
// Number `index` of stream `stream` under `seed` depends on nothing else; the host computes the same bits.
fn pcg_hash(x: u32) -> u32 {
  let state = x * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}

fn pcg_hash4(x: vec4u) -> vec4u {
  let state = x * 747796405u + 2891336453u;
  let word = ((state >> ((state >> vec4u(28u)) + 4u)) ^ state) * 277803737u;
  return (word >> vec4u(22u)) ^ word;
}

// The part of random_u32 that a whole stream shares.
fn stream_key(seed: u32, stream: u32) -> u32 { return pcg_hash(pcg_hash(seed) ^ stream); }

// randomU32(seed, stream, index) = hash(hash(hash(seed) ^ stream) ^ index) for four indices, given stream_key.
fn random4(key: u32, index: vec4u) -> vec4u { return pcg_hash4(vec4u(key) ^ index); }

// Uniform in [0, 1): the upper 24 bits, exact in float32.
fn uniform4(bits: vec4u) -> vec4f { return vec4f(bits >> vec4u(8u)) * 5.9604644775390625e-8; }
