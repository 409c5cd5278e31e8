// Which block of C an invocation owns: blocks lie row by row in bands that are s.band blocks high. Eight neighbours run in
// lock step on software adapters, and a band of two lets them share rows of A as well as of B.
fn owned(i: u32) -> vec2u {
  let in_band = s.band * s.tiles_n;
  let j = i % in_band;
  return vec2u((i / in_band * s.band + j % s.band) * $TMu, j / s.band * $TNu);
}
