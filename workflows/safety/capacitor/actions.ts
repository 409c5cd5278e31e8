/**
 * The safe actions A_safe(h), the distance D_act between actions, and the projection Pi onto the nearest safe one (INFANT Eq. 13, 26, 27).
 *
 * The paper leaves all three open. Here A_safe(h) is a finite list that begins with fixed refusals, so it is never empty; D_act is the
 * normalised edit distance of Yujian and Bo (IEEE TPAMI 29, 2007) over tokens, a metric with values in [0, 1]; and of several nearest
 * actions the projection takes the first of the list.
 */
import { InputError } from "../../../kernels/errors.ts";
import { editDistance } from "../perturbation/edit_distance.ts";

/** A reply as token ids, without the token that ends it. */
export type Action = readonly number[];

/**
 * D_act(a, b) = 2 e / (|a| + |b| + e), where e is the number of tokens to insert, delete or replace; 0 for equal actions, 1 where just
 * one is empty. Symmetric, and the triangle inequality holds.
 */
export function actionDistance(a: Action, b: Action): number {
  const edits = editDistance(a, b);
  return edits === 0 ? 0 : 2 * edits / (a.length + b.length + edits);
}

/** Where a projection ends. */
export interface Projection {
  /** Pi(a), an element of A_safe(h). */
  readonly action: Action;
  /** Its place in the list. */
  readonly index: number;
  /** d_I(h, a) = D_act(a, Pi(a)). */
  readonly distance: number;
}

/**
 * Pi(a) = argmin over a' in A_safe(h) of D_act(a, a'); of equals, the first.
 * @throws {InputError} when there is no safe action.
 */
export function project(action: Action, safe: readonly Action[]): Projection {
  if (safe.length === 0) throw new InputError("projection: the set of safe actions is empty");
  let best: Projection | null = null;
  safe.forEach((candidate, index) => {
    const distance = actionDistance(action, candidate);
    if (best === null || distance < best.distance) best = { action: candidate, index, distance };
  });
  return best!;
}
