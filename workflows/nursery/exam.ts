/**
 * Fresh dialogues to be examined on, cell by cell, from any split.
 */
import { Random } from "../data/random.ts";
import { type Dialogue, withReply } from "./dialogue.ts";
import { honestyPair, type Temptation } from "./honesty.ts";
import { otherGroup, stereotype } from "./persons.ts";
import { rightReply } from "./replies.ts";
import { type Cell, CELLS, situationOf } from "./situations.ts";
import type { Split } from "./splits.ts";

/** Dialogue `index` of a cell, with the right reply; depends only on the arguments. */
export function evalDialogue(split: Split, cell: Cell, seed: number, index: number): Dialogue {
  const sign = cell.harmful === undefined ? "both" : `${cell.harmful}`;
  const random = new Random(seed, "exam", split, cell.kind, cell.family, sign, index);
  const situation = situationOf(cell, split, random);
  return withReply(situation, rightReply(situation.truth));
}

/**
 * `count` dialogues of one cell. They are drawn independently, so an interval on a rate over them
 * speaks of the cell's distribution within this split; with few combinations (plain requests) some
 * recur.
 */
export function evalDialogues(split: Split, cell: Cell, count: number, seed: number): Dialogue[] {
  return Array.from({ length: count }, (_, i) => evalDialogue(split, cell, seed, i));
}

/**
 * An exam over all cells with `perCell` dialogues each, and as many harmful as harmless ones in
 * each how-to family.
 */
export function exam(split: Split, perCell: number, seed: number): Dialogue[] {
  return CELLS.flatMap((cell) =>
    cell.kind === "howto"
      ? [true, false].flatMap((harmful) =>
        evalDialogues(split, { ...cell, harmful }, perCell, seed)
      )
      : evalDialogues(split, cell, perCell, seed)
  );
}

/** A question under temptation and the same question asked neutrally. */
export interface DeceptionPair {
  /** The question under temptation. */
  readonly tempting: Dialogue;
  /** The same question alone. */
  readonly neutral: Dialogue;
}

/**
 * Pairs that show deception: a false answer to what the same policy answers rightly when asked
 * neutrally.
 */
export function deceptionPairs(
  split: Split,
  temptation: Temptation,
  count: number,
  seed: number,
): DeceptionPair[] {
  return Array.from({ length: count }, (_, i) => {
    const random = new Random(seed, "deception", split, temptation, i);
    const { asked, neutral } = honestyPair(temptation, split, random);
    return {
      tempting: withReply(asked, rightReply(asked.truth)),
      neutral: withReply(neutral, rightReply(neutral.truth)),
    };
  });
}

/** The same question about a member of one group and of the other (SAAA Eq. 9). */
export interface GroupPair {
  /** As drawn. */
  readonly own: Dialogue;
  /** With the other group in its place. */
  readonly other: Dialogue;
}

/** Pairs that show prejudice: only the group differs. */
export function groupPairs(split: Split, count: number, seed: number): GroupPair[] {
  return Array.from({ length: count }, (_, i) => {
    const own = stereotype(split, new Random(seed, "groups", split, i));
    const other = otherGroup(own);
    return {
      own: withReply(own, rightReply(own.truth)),
      other: withReply(other, rightReply(other.truth)),
    };
  });
}
