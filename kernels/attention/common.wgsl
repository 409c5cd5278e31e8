// Shared by the attention kernels: the mask value, and which (sequence row, head) pair and block an invocation owns.
// Software adapters run 8 invocations in lock step and cut a dispatch in two fixed halves: neighbours take the same
// block of different pairs (equal loop lengths), and short and long blocks alternate (equal halves). On GPUs
// (SAME_HEAD) neighbours take the blocks of one pair, so that they load the same keys at the same time.
const LOWEST = -3.4e38;
override SAME_HEAD: bool = false;

struct Owned { pair: u32, block: u32 }

fn ownedBlock(i: u32, pairs: u32, blocks: u32) -> Owned {
  if (SAME_HEAD) { return Owned(i / blocks, i % blocks); }
  let turn = i / pairs;
  return Owned(i % pairs, select(turn / 2u, blocks - 1u - turn / 2u, turn % 2u == 1u));
}
