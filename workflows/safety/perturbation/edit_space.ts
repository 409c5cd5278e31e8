/**
 * What an adversary may do to a sequence: C(h) of INFANT Eq. 12, narrowed to edits that may not change what is asked.
 *
 * A perturbation must not turn a request into another one, or the reply that was right becomes wrong. So an edit space says which
 * items may be dropped or replaced, where something may be put in, and what may be put in. Everything that can be reached
 * within its budget keeps to that by construction; the ball of Eq. 12 is the space without such restrictions.
 */
import { InputError } from "../../../kernels/errors.ts";
import { checkBudget } from "./edit_distance.ts";

/** A sequence, and the edits that are allowed. */
export interface EditSpace<T> {
  /** The sequence itself. */
  readonly word: readonly T[];
  /** Items that may be put in, by insertion or replacement; no item twice. Their order is the order of enumeration. */
  readonly alphabet: readonly T[];
  /** Most edits, k_max. */
  readonly budget: number;
  /** Which items may be dropped or replaced, [length]; all of them where absent. */
  readonly editable?: readonly boolean[];
  /** Whether something may be put in before item i, or (last) at the end, [length + 1]; everywhere where absent. */
  readonly open?: readonly boolean[];
}

/** An edit space with all its parts. */
export type WholeEditSpace<T> = Required<EditSpace<T>>;

/** One elementary edit; `at` counts items of the sequence as it is before the edit. */
export type Edit<T> =
  | { readonly kind: "insert"; readonly at: number; readonly item: T }
  | { readonly kind: "delete"; readonly at: number }
  | { readonly kind: "replace"; readonly at: number; readonly item: T };

/**
 * Fills in what is absent.
 * @throws {InputError} when a list has a wrong length, an item of the alphabet comes twice, or the budget is no whole number.
 */
export function wholeSpace<T>(space: EditSpace<T>): WholeEditSpace<T> {
  const { word, alphabet, budget } = space;
  checkBudget(budget);
  if (new Set(alphabet).size < alphabet.length) {
    throw new InputError(`edit space: the alphabet holds an item twice: list each item once`);
  }
  const editable = space.editable ?? word.map(() => true);
  const open = space.open ?? [...word, null].map(() => true);
  checkLength("editable", editable, word.length);
  checkLength("open", open, word.length + 1);
  return { word, alphabet, budget, editable, open };
}

function checkLength(name: string, list: readonly boolean[], length: number): void {
  if (list.length === length) return;
  throw new InputError(
    `edit space: ${name} must have ${length} entries for this sequence, found ${list.length}`,
  );
}

/**
 * The space behind an edit: the edited sequence, with one edit less to spend. What was put in may be changed again.
 * @throws {InputError} when the budget is spent or the edit is not allowed.
 */
export function applyEdit<T>(space: WholeEditSpace<T>, edit: Edit<T>): WholeEditSpace<T> {
  const { word, alphabet, budget, editable, open } = space;
  const { kind, at } = edit;
  const allowed = kind === "insert" ? open[at] : editable[at];
  if (budget < 1 || !allowed || (kind !== "delete" && !alphabet.includes(edit.item))) {
    throw new InputError(
      `edit: ${kind} at ${at} is not allowed here (${budget} edits left, ${word.length} items)`,
    );
  }
  const rest = { alphabet, budget: budget - 1 };
  switch (kind) {
    case "insert":
      return {
        ...rest,
        word: word.toSpliced(at, 0, edit.item),
        editable: editable.toSpliced(at, 0, true),
        open: open.toSpliced(at, 0, true),
      };
    case "replace":
      return { ...rest, word: word.with(at, edit.item), editable, open };
    case "delete":
      return {
        ...rest,
        word: word.toSpliced(at, 1),
        editable: editable.toSpliced(at, 1),
        // The gaps before and behind the item become one; it is open if either was.
        open: open.toSpliced(at, 2, open[at] || open[at + 1]),
      };
  }
}

/** Every elementary edit that is allowed and changes something, in a fixed order; none when the budget is spent. */
export function allowedEdits<T>(space: WholeEditSpace<T>): Edit<T>[] {
  const { word, alphabet, budget, editable, open } = space;
  if (budget < 1) return [];
  const edits: Edit<T>[] = [];
  for (let at = 0; at <= word.length; at++) {
    if (open[at]) { for (const item of alphabet) edits.push({ kind: "insert", at, item }); }
    if (!editable[at]) continue;
    edits.push({ kind: "delete", at });
    for (const item of alphabet) {
      if (item !== word[at]) edits.push({ kind: "replace", at, item });
    }
  }
  return edits;
}
