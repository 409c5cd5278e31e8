/**
 * Best-first merging of neighbours, in O(n log n) where the textbook loop is O(n^2).
 *
 * Candidates wait in a heap (best score first, leftmost on ties); a candidate whose parts have been
 * merged away since is recognised by its ids and dropped.
 */

interface Candidate {
  readonly score: number;
  readonly at: number;
  readonly left: number;
  readonly right: number;
  readonly id: number;
}

function before(a: Candidate, b: Candidate): boolean {
  return a.score > b.score || (a.score === b.score && a.at < b.at);
}

/** A binary heap of candidates. */
class Heap {
  readonly #items: Candidate[] = [];

  push(item: Candidate): void {
    const items = this.#items;
    let i = items.length;
    items.push(item);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(item, items[parent])) break;
      items[i] = items[parent];
      i = parent;
    }
    items[i] = item;
  }

  pop(): Candidate | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (items.length === 0 || last === undefined) return top;
    let i = 0;
    while (2 * i + 1 < items.length) {
      let child = 2 * i + 1;
      if (child + 1 < items.length && before(items[child + 1], items[child])) child++;
      if (!before(items[child], last)) break;
      items[i] = items[child];
      i = child;
    }
    items[i] = last;
    return top;
  }
}

/** The union of two neighbouring tokens, or null when it is no token. */
export type Union = (
  left: number,
  right: number,
) => { readonly id: number; readonly score: number } | null;

/**
 * Merges neighbours, best score first and leftmost on ties, until no union exists.
 * @param symbols Token ids, not changed.
 * @returns The merged token ids.
 */
export function bestFirst(symbols: readonly number[], union: Union): number[] {
  const ids = [...symbols];
  const next = ids.map((_, i) => i + 1);
  const previous = ids.map((_, i) => i - 1);
  const alive = ids.map(() => true);
  const heap = new Heap();
  const offer = (at: number) => {
    const other = at < 0 ? ids.length : next[at];
    if (other >= ids.length) return;
    const merged = union(ids[at], ids[other]);
    if (merged) heap.push({ ...merged, at, left: ids[at], right: ids[other] });
  };
  for (let i = 0; i < ids.length; i++) offer(i);
  for (let best = heap.pop(); best; best = heap.pop()) {
    const { at, left, right, id } = best;
    const other = next[at];
    const stale = !alive[at] || ids[at] !== left || other >= ids.length || ids[other] !== right;
    if (stale) continue;
    ids[at] = id;
    alive[other] = false;
    next[at] = next[other];
    if (next[at] < ids.length) previous[next[at]] = at;
    offer(previous[at]);
    offer(at);
  }
  return ids.filter((_, i) => alive[i]);
}
