// Maximum and sum of exponentials of a row in one pass (Milakov and Gimelshein, 2018), four columns at a time.
// Include after row.wgsl. A logit of minus infinity counts as -1e38, so that differences stay finite.
const LOWEST = -1e38;

struct Online { most: vec4f, sum: vec4f }

// The logits of four columns from `column4` on; those beyond the last column weigh nothing.
fn masked(x: vec4f, column4: u32, columns: u32) -> vec4f {
  let inside = vec4u(4u * column4) + vec4u(0u, 1u, 2u, 3u) < vec4u(columns);
  return select(vec4f(LOWEST), x, inside & !(x < vec4f(LOWEST)));
}

fn online_add(a: Online, x: vec4f) -> Online {
  let rises = x > a.most;
  let e = exp(-abs(x - a.most));
  return Online(select(a.most, x, rises), select(a.sum + e, a.sum * e + 1.0, rises));
}

// (maximum, sum of exp(x - maximum)) over the workgroup's whole row.
fn online_total(a: Online, lane: u32) -> vec2f {
  let most = row_max(vec4f(max4(a.most)), lane).x;
  let part = sum4(a.sum * exp(a.most - most));
  return vec2f(most, row_sum(vec4f(part), lane).x);
}

// log of a row's sum. A sum that is not finite stays so: SwiftShader's log makes 89 of a NaN, and the loss would look sound.
fn log_total(sum: f32) -> f32 {
  return select(log(sum), sum, (bitcast<u32>(sum) & 0x7f800000u) == 0x7f800000u);
}
