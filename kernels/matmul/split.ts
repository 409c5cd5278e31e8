/**
 * Split k: a weight's gradient is a small C = A^T B over very many rows, too few tiles to fill a GPU. Then the rows are cut into slices,
 * one dispatch computes every slice's product side by side (along z), and their sum, in a fixed order, is taken by a second.
 *
 * For tiled schedules only. On llvmpipe, whose two cores are busy with 36 blocks already, slices cost: processor milliseconds for 1, 2,
 * 4, 8 slices with textures, column sums included (2026-11-21, interleaved medians of 9 on a busy machine)
 *
 *     96 x 96 over 512     0.46  0.54  0.61  0.70     128 x 128 over 1024   1.25  1.35  1.51  1.65
 *     384 x 96 over 512    1.45  1.65  1.89  2.40     512 x 128 over 1024   4.74  5.06  5.38  6.31
 */
import type { Tape } from "../gpu/tape.ts";
import { paddedColumns, Tensor } from "../gpu/tensor.ts";
import { columnSum } from "../reduce/sum.ts";

/** How a product's inner size is cut: `count` slices of `k`, the last one `last` long. */
export interface Slices {
  /** Number of slices; 1 for a product that is not split. */
  readonly count: number;
  /** Rows of each slice, a multiple of 16 where there are several. */
  readonly k: number;
  /** Rows of the last. */
  readonly last: number;
}

/** A GPU of 100 to 150 multiprocessors has work for each from here on. Not measured: no GPU was at hand (2026-11-21). */
const ENOUGH_TILES = 128;
/** Shorter slices would be all edge: filling the tile, writing C and summing it again. */
const SHORTEST = 256;
/** Up to here `columnSum` takes the sum in one dispatch. */
const MOST = 31;

/** Slices for a product of `tiles` tiles over `k`. */
export function slicesOf(tiles: number, k: number): Slices {
  const wanted = Math.min(Math.ceil(ENOUGH_TILES / tiles), Math.floor(k / SHORTEST), MOST);
  return cutInto(wanted, k);
}

/** About `wanted` slices of k. */
export function cutInto(wanted: number, k: number): Slices {
  if (wanted < 2) return { count: 1, k, last: k };
  const each = Math.ceil(k / wanted / 16) * 16;
  const count = Math.ceil(k / each);
  return { count, k: each, last: k - (count - 1) * each };
}

/** `out` (+)= the sum of `partial`, [count * out.rows, out.columns]: products in the order of their slices. */
export function sumSlices(
  tape: Tape,
  partial: Tensor,
  count: number,
  out: Tensor,
  accumulate: boolean,
): void {
  // Rows lie one behind another in both: as many numbers, zeros of the padding included, as one vector holds.
  const length = out.shape.length === 1 ? paddedColumns(out.columns) : out.rows * out.stride;
  const flat = (tensor: Tensor, shape: readonly number[]) =>
    new Tensor(tensor.name, shape, tensor.dtype, tensor.place, tensor.offset);
  columnSum(tape, flat(partial, [count, length]), flat(out, [length]), { accumulate });
}
