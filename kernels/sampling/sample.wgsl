// ids[row] = the next token of each row and log_probs[row, step] = its log-probability under softmax(logits[row]), in
// Hugging Face's order: repetition penalty, temperature, top-k, top-p, draw. logits [rows, columns]; seen [rows, words]
// holds one bit per token that occurred; streams, done, ids [rows]; log_probs [rows, max_new]; step is cursor[1].
// LANES invocations of a workgroup of SIZE own a row; rows that are done are left to advance.wgsl.
// No sorting: the smallest kept score is found two bits at a time over the order-preserving integer image of the floats, which is exact.
// The draw is Gumbel-max: the largest score - log(E), E exponential, is a sample of softmax(scores).
@group(0) @binding(0) var<storage, read> logits: array<vec4f>;
@group(0) @binding(1) var<storage, read> seen: array<u32>;
@group(0) @binding(2) var<storage, read> settings: array<u32>;
@group(0) @binding(3) var<storage, read> streams: array<u32>;
@group(0) @binding(4) var<storage, read> cursor: array<u32>;
@group(0) @binding(5) var<storage, read> done: array<u32>;
@group(0) @binding(6) var<storage, read_write> ids: array<u32>;
@group(0) @binding(7) var<storage, read_write> log_probs: array<f32>;
override SIZE: u32;
struct Shape { rows: u32, columns: u32, columns4: u32, words: u32, max_new: u32, max_new_stride: u32 }
@group(0) @binding(8) var<uniform> shape: Shape;
$ROW_FUNCTIONS
$ONLINE
$RANDOM_FUNCTIONS
$SETTINGS

const BY_COUNT = 0u; // top-k: every token weighs 1, ordered by score
const BY_MASS = 1u; // top-p: every token weighs exp(score - most), ordered by score
const BY_ID = 2u; // ties at the top-p threshold, ordered by token id
var<private> row: u32;
var<private> lane: u32;
var<private> columns4: u32; // 0 where the row is done
var<private> temperature: f32;
var<private> penalty: f32;
var<private> most: f32; // largest score
var<private> least_k: u32; // smallest key that top-k keeps
var<private> least_p: u32; // smallest key that top-p keeps
var<private> ties: f32; // tokens of key least_p
var<private> least_id: u32; // smallest id that top-p keeps among them

fn ids_at(c: u32) -> vec4u { return vec4u(4u * c) + vec4u(0u, 1u, 2u, 3u); }

// Scores of four tokens after penalty and temperature.
fn scores_at(c: u32) -> vec4f {
  var x = masked(logits[row * shape.columns4 + c], c, shape.columns);
  if (penalty != 1.0) {
    let word = seen[row * shape.words + c / 8u];
    let bits = vec4u(word) >> (vec4u(4u * (c % 8u)) + vec4u(0u, 1u, 2u, 3u));
    let occurred = (bits & vec4u(1u)) != vec4u(0u);
    x = select(x, select(x / penalty, x * penalty, x < vec4f(0.0)), occurred);
  }
  if (temperature > 0.0) { x = x / temperature; }
  return x;
}

// Integers in the order of the scores; 0, below all others, for padding columns. Both zeros are one number.
fn keys_of(scores: vec4f, c: u32) -> vec4u {
  let bits = bitcast<vec4u>(select(scores, vec4f(0.0), scores == vec4f(0.0)));
  let keys = select(bits | vec4u(0x80000000u), ~bits, bits >= vec4u(0x80000000u));
  return select(vec4u(0u), keys, ids_at(c) < vec4u(shape.columns));
}

// Tokens of at least the smallest kept key and, among its ties, id.
fn kept(keys: vec4u, c: u32) -> vec4<bool> {
  let tie = (keys == vec4u(least_p)) & (ids_at(c) >= vec4u(least_id));
  return (keys >= vec4u(least_k)) & ((keys > vec4u(least_p)) | tie);
}

// The largest threshold of `bits` bits such that the tokens at or above it weigh at least `target`; 0 if there is none.
fn threshold(mode: u32, bits: u32, target_weight: f32) -> u32 {
  var base = 0u;
  let end = select(columns4, 0u, mode == BY_ID && ties < 2.0);
  for (var shift = bits; shift > 0u; shift -= 2u) {
    let digit = 1u << (shift - 2u);
    var weight = vec4f(0.0);
    for (var c = lane; c < end; c += LANES) {
      let scores = scores_at(c);
      var keys = keys_of(scores, c);
      var w = vec4f(1.0);
      if (mode == BY_MASS) {
        // What top-k dropped lies below every threshold that can be the answer, so it need not be left out.
        w = exp(scores - most);
      } else if (mode == BY_ID) {
        w = select(vec4f(0.0), exp(scores - most), keys == vec4u(least_p));
        keys = ids_at(c);
      }
      weight += vec4f(
        sum4(select(vec4f(0.0), w, keys >= vec4u(base + digit))),
        sum4(select(vec4f(0.0), w, keys >= vec4u(base + 2u * digit))),
        sum4(select(vec4f(0.0), w, keys >= vec4u(base + 3u * digit))),
        0.0,
      );
    }
    let reaches = row_sum(weight, lane).xyz >= vec3f(target_weight);
    base += digit * dot(select(vec3u(0u), vec3u(1u), reaches), vec3u(1u));
  }
  return base;
}

// Weights of the tokens that top-k kept: of all (x), and of those above least_p (y). Number of tokens of key least_p (z).
fn masses() -> vec3f {
  var sum = vec4f(0.0);
  for (var c = lane; c < columns4; c += LANES) {
    let scores = scores_at(c);
    let keys = keys_of(scores, c);
    let w = select(vec4f(0.0), exp(scores - most), keys >= vec4u(least_k));
    let above = select(vec4f(0.0), w, keys > vec4u(least_p));
    let equal = select(vec4f(0.0), vec4f(1.0), keys == vec4u(least_p));
    sum += vec4f(sum4(w), sum4(above), sum4(equal), 0.0);
  }
  return row_sum(sum, lane).xyz;
}

// -log(u) of uniform u: exponential numbers with all 32 random bits, exact to the last one at both ends.
fn exponential(bits: vec4u) -> vec4f {
  let rest = (vec4f(bits) + 0.5) * 2.3283064365386963e-10; // 1 - u
  let series = rest * (1.0 + rest * (0.5 + rest * (0.33333333 + rest * 0.25)));
  return select(-log((vec4f(~bits) + 0.5) * 2.3283064365386963e-10), series, rest < vec4f(0.015625));
}

@compute @workgroup_size(SIZE)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  lane = local.x % LANES;
  let own = group.x * (SIZE / LANES) + local.x / LANES;
  row = min(own, shape.rows - 1u);
  let step = cursor[1];
  let live = own < shape.rows && done[row] == 0u && step < shape.max_new;
  columns4 = select(0u, shape.columns4, live);
  temperature = bitcast<f32>(settings[TEMPERATURE]);
  penalty = bitcast<f32>(settings[PENALTY]);
  // What decides on barriers must come straight from read-only memory, or WGSL does not know it to be uniform.
  let draws = bitcast<f32>(settings[TEMPERATURE]) > 0.0;
  let top_p = bitcast<f32>(settings[TOP_P]);

  var online = Online(vec4f(LOWEST), vec4f(0.0));
  var highest = vec4f(-3.4e38);
  for (var c = lane; c < columns4; c += LANES) {
    online = online_add(online, masked(logits[row * shape.columns4 + c], c, shape.columns));
    highest = max(highest, scores_at(c));
  }
  let total = online_total(online, lane);
  most = max4(row_max(highest, lane));

  if (draws && settings[TOP_K] > 0u && settings[TOP_K] < shape.columns) {
    least_k = threshold(BY_COUNT, 32u, f32(settings[TOP_K]));
  }
  if (draws && top_p < 1.0) {
    let goal = top_p * masses().x;
    least_p = threshold(BY_MASS, 32u, goal);
    let mass = masses();
    ties = mass.z;
    least_id = threshold(BY_ID, 24u, goal - mass.y);
  }

  let key = stream_key(settings[SEED], streams[row]);
  var best = vec4f(-3.4e38);
  var best_id = vec4u(0u);
  for (var c = lane; c < columns4; c += LANES) {
    let id = ids_at(c);
    var scores = scores_at(c);
    let allowed = kept(keys_of(scores, c), c) & (id < vec4u(shape.columns));
    if (temperature > 0.0) {
      // The maximum goes first, so that the noise meets small numbers.
      scores = scores - most - log(exponential(random4(key, step * shape.columns + id)));
    }
    let better = allowed & (scores > best);
    best = select(best, scores, better);
    best_id = select(best_id, id, better);
  }
  // The largest, and of equals the one with the lowest id, across the workgroup: ids are exact in float32 below 2^24.
  let winner = max4(row_max(best, lane));
  let first = select(vec4f(-16777216.0), -vec4f(best_id), best == vec4f(winner));
  let token = u32(-max4(row_max(first, lane)));
  if (lane == 0u && live) {
    let x = masked(logits[row * shape.columns4 + token / 4u], token / 4u, shape.columns)[token % 4u];
    ids[row] = token;
    log_probs[row * shape.max_new_stride + step] = x - total.x - log_total(total.y);
  }
}
