// After sample.wgsl: takes each row's new token into account and moves on to the next step.
// A live row: out[row, step] = ids[row], its bit in seen is set, its position rises, and a stop token ends it (done[row] = 1).
// A done row: out[row, step] = ids[row] = the pad token. Then cursor[0] (cache index) and cursor[1] (step) rise by one and
// cursor[2] is the number of rows still live. After max_new steps nothing changes any more.
// ids, positions, done [rows]; seen [rows, words]; out [rows, max_new]. One workgroup owns everything, so all rows see one step.
@group(0) @binding(0) var<storage, read> settings: array<u32>;
@group(0) @binding(1) var<storage, read_write> cursor: array<u32>;
@group(0) @binding(2) var<storage, read_write> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> positions: array<u32>;
@group(0) @binding(4) var<storage, read_write> done: array<u32>;
@group(0) @binding(5) var<storage, read_write> seen: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<u32>;
struct Shape { rows: u32, words: u32, max_new: u32, max_new_stride: u32 }
@group(0) @binding(7) var<uniform> shape: Shape;
$SETTINGS
var<workgroup> live_rows: atomic<u32>;

fn stops(token: u32) -> bool {
  var stop = false;
  for (var i = 0u; i < settings[STOPS]; i++) { stop = stop || settings[FIRST_STOP + i] == token; }
  return stop;
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_id) local: vec3u) {
  let step = cursor[1];
  let rows = select(0u, shape.rows, step < shape.max_new);
  for (var row = local.x; row < rows; row += 64u) {
    var token = settings[PAD];
    if (done[row] == 0u) {
      token = ids[row];
      seen[row * shape.words + token / 32u] |= 1u << (token % 32u);
      positions[row] += 1u;
      if (stops(token)) { done[row] = 1u; } else { atomicAdd(&live_rows, 1u); }
    }
    ids[row] = token;
    out[row * shape.max_new_stride + step] = token;
  }
  workgroupBarrier();
  storageBarrier();
  if (local.x == 0u && step < shape.max_new) {
    cursor[0] += 1u;
    cursor[1] = step + 1u;
    cursor[2] = atomicLoad(&live_rows);
  }
}
