/**
 * Shuffling a stream in bounded memory: hold some items, give out a random one of them for each that comes in.
 */
import { Random } from "../random.ts";

/**
 * The items of a stream in an order fixed by the key. An item comes at most `size - 1` places early, and
 * late without bound, ever less likely. `size` 1 leaves the order as it is.
 */
export async function* shuffleBuffer<T>(
  items: AsyncIterable<T>,
  size: number,
  ...key: readonly (number | string)[]
): AsyncGenerator<T> {
  const random = new Random("shuffle buffer", ...key);
  const held: T[] = [];
  for await (const item of items) {
    held.push(item);
    if (held.length >= size) yield takeRandom(held, random);
  }
  while (held.length > 0) yield takeRandom(held, random);
}

function takeRandom<T>(held: T[], random: Random): T {
  const i = random.below(held.length);
  const item = held[i];
  held[i] = held[held.length - 1];
  held.pop();
  return item;
}
