/**
 * Training and validation rows by a hash of the row's own key, so that a row stays on its side when others
 * are added or reordered, and rows that share a prompt are never on both.
 */
import { InputError } from "../../../kernels/errors.ts";
import { plainText, type TaskRow } from "../formats/rows.ts";
import { hash32 } from "../random.ts";

/** The two sides of a split. */
export type Side = "train" | "validation";

/** How to split. */
export interface SplitOptions {
  /** Expected share of keys that go to validation, from 0 to 1. */
  readonly validation: number;
  /** A different seed is a different split. */
  readonly seed?: number;
  /** What decides the side of a row; default {@linkcode rowKey}. */
  readonly key?: (row: TaskRow) => string;
}

/** The side of a key. */
export function sideOf(key: string, { validation, seed = 0 }: SplitOptions): Side {
  if (!(validation >= 0 && validation <= 1)) {
    throw new InputError(`validation: the share must be from 0 to 1, found ${validation}`);
  }
  return hash32("split", seed, key) < validation * 2 ** 32 ? "validation" : "train";
}

/**
 * What makes two rows "the same question": the prompt (or the turns up to the first reply, or the text), without
 * case, spacing and punctuation.
 */
export function rowKey(row: TaskRow): string {
  const text = row.kind === "text"
    ? row.text
    : row.kind === "conversation"
    ? opening(row)
    : plainText(row.prompt);
  const key = text.normalize("NFKC").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
  return key === "" ? text : key;
}

/** The rows of one side, in their order. */
export async function* selectSide(
  rows: AsyncIterable<TaskRow>,
  side: Side,
  options: SplitOptions,
): AsyncGenerator<TaskRow> {
  const key = options.key ?? rowKey;
  for await (const row of rows) {
    if (sideOf(key(row), options) === side) yield row;
  }
}

function opening(row: TaskRow & { kind: "conversation" }): string {
  const first = row.messages.findIndex((message) => message.role === "assistant");
  return plainText(row.messages.slice(0, first));
}
