/**
 * Embedding: gathering rows of a table, and adding gradients back to them without float atomics.
 *
 * WGSL has no float atomics and the order of atomic sums would vary from run to run. Since the host knows the ids, it
 * sorts the rows by entry once per batch ({@linkcode sortByEntry}); each table row then sums its own list in order.
 */
import { InputError } from "../errors.ts";
import { elementKernel } from "../gpu/elements.ts";
import { defineKernel } from "../gpu/kernel.ts";
import { linearGroups, type Tape } from "../gpu/tape.ts";
import { type Tensor, unread } from "../gpu/tensor.ts";
import { rowWindows } from "../reduce/windows.ts";
import forwardCode from "./embedding.wgsl" with { type: "text" };
import backwardCode from "./embedding_backward.wgsl" with { type: "text" };

const forward = elementKernel("embedding", forwardCode);
const backward = defineKernel("embedding_backward", backwardCode);

/** Which rows of a batch selected which entry, as the backward kernel reads it. */
export interface EntryLists {
  /** u32 [rows] */
  readonly order: Tensor;
  /** u32 [segments, 4]: entry, begin, end, 0 */
  readonly segments: Tensor;
}

/** A table and how a batch indexes it. */
export interface Lookup {
  /** [entries, width]. */
  readonly table: Tensor;
  /** u32 [rows] */
  readonly indices: Tensor;
  /** Needed when the table is trained. */
  readonly lists?: EntryLists;
}

/**
 * y = tokens.table[tokens.indices] + positions.table[positions.indices], [rows, width].
 * Indices must be below the table's entries; the GPU cannot report others (`TokenTensors.upload` refuses them).
 * @throws {InputError} when indices are not u32, the two lookups differ in rows or width, or a trained table comes without lists.
 */
export function embedding(tape: Tape, tokens: Lookup, positions: Lookup | null): Tensor {
  const { table, indices } = tokens;
  for (const lookup of [tokens, positions]) {
    if (lookup && lookup.indices.dtype !== "u32") {
      throw new InputError(
        `embedding: ${lookup.indices.name} must be u32, found ${lookup.indices.dtype}`,
      );
    }
  }
  if (positions) checkSameShape(tokens, positions);
  const rows = indices.columns;
  const y = tape.tensor("embedded", [rows, table.columns]);
  const stride4 = table.stride / 4;
  const windows = rowWindows(tape.gpu, table);
  for (const { start, tensor } of windows) {
    const isLast = tensor === windows[windows.length - 1].tensor;
    tape.dispatch({
      kernel: forward({ TABLE: tensor }),
      bindings: {
        ids: indices,
        positions: positions?.indices ?? indices,
        table: tensor,
        position_table: positions?.table ?? unread(tensor),
        y,
      },
      uniforms: {
        rows,
        stride4,
        has_positions: Number(positions !== null),
        first: start,
        // The last window takes whatever is left, so that every row of y is written.
        end: isLast ? 2 ** 32 - 1 : start + tensor.rows,
      },
      groups: linearGroups(rows * stride4, 64),
    });
  }
  const trained = [tokens, positions].filter((lookup) => lookup?.table.needsGrad) as Lookup[];
  for (const { table, lists } of trained) {
    if (tape.recordsBackward && !lists) {
      throw new InputError(`embedding: ${table.name} is trained, its lookup needs lists`);
    }
  }
  y.needsGrad = trained.length > 0;
  if (y.needsGrad) {
    tape.onBackward(() => {
      for (const lookup of trained) embeddingBackward(tape, lookup, y.grad!);
    });
  }
  return y;
}

function checkSameShape(tokens: Lookup, positions: Lookup): void {
  for (const [a, b] of [[tokens.table, positions.table], [tokens.indices, positions.indices]]) {
    if (a.columns !== b.columns) {
      throw new InputError(
        `embedding: ${a.name} [${a.shape}] and ${b.name} [${b.shape}] differ in their last size`,
      );
    }
  }
}

function embeddingBackward(tape: Tape, { table, lists }: Lookup, d_y: Tensor): void {
  const { order, segments } = lists!;
  const stride4 = table.stride / 4;
  for (const { start, tensor } of rowWindows(tape.gpu, table.grad!)) {
    tape.dispatch({
      kernel: backward,
      bindings: { order, segments, d_y, d_table: tensor },
      uniforms: { segments: segments.rows, stride4, first: start, end: start + tensor.rows },
      groups: linearGroups(segments.rows * stride4, 64),
      loops: order.columns,
    });
  }
}

/** Most segments a batch of `rows` tokens over `entries` table rows can have. */
export function segmentCapacity(rows: number, entries: number): number {
  return Math.min(rows, entries);
}

/**
 * Sorts rows by the entry they select (stable), and lists each entry's range.
 * @throws {InputError} when an index is outside the table: the GPU would read another row without a word.
 */
export function sortByEntry(
  indices: Uint32Array,
  entries: number,
): { order: Uint32Array; segments: Uint32Array } {
  const starts = new Uint32Array(entries + 1);
  indices.forEach((entry, row) => {
    if (entry >= entries) {
      throw new InputError(`index ${entry} of row ${row} is outside a table of ${entries} entries`);
    }
    starts[entry + 1]++;
  });
  for (let e = 0; e < entries; e++) starts[e + 1] += starts[e];
  const segments = new Uint32Array(4 * segmentCapacity(indices.length, entries));
  let at = 0;
  for (let e = 0; e < entries; e++) {
    if (starts[e + 1] > starts[e]) {
      segments.set([e, starts[e], starts[e + 1]], at);
      at += 4;
    }
  }
  const order = new Uint32Array(indices.length);
  indices.forEach((entry, row) => order[starts[entry]++] = row);
  return { order, segments };
}
