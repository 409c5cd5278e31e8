/**
 * What became of the rows: nothing is dropped or cut without being counted here, with the place of the first.
 */
import type { DropReason } from "./formats/rows.ts";

/** Counts of one pass from rows to tokens; filled in by the readers it is handed to. */
export class TokenisationReport {
  /** Rows read from the data set. */
  rowsRead = 0;
  /** Rows that became examples. */
  kept = 0;
  /** Examples whose prompt was shortened to fit. */
  truncatedPrompts = 0;
  /** Examples (or pairs) of which a reply or text was shortened to fit. */
  truncatedReplies = 0;
  /** Replies whose first token would have merged with the prompt's last (see `tokenise/segments.ts`). */
  boundaryChanges = 0;
  /** Tokens in the examples kept. */
  tokens = 0;
  /** Sum of the weights of the examples kept. */
  learnedWeight = 0;
  readonly #dropped = new Map<DropReason, { count: number; first: string }>();

  /** Counts a row that was left out. */
  drop(reason: DropReason, where: string): void {
    const entry = this.#dropped.get(reason);
    if (entry) entry.count++;
    else this.#dropped.set(reason, { count: 1, first: where });
  }

  /** Rows left out, in all or for one reason. */
  dropped(reason?: DropReason): number {
    if (reason) return this.#dropped.get(reason)?.count ?? 0;
    return [...this.#dropped.values()].reduce((sum, { count }) => sum + count, 0);
  }

  /** One line for each reason: count, reason, first place. */
  reasons(): string[] {
    return [...this.#dropped].map(([reason, { count, first }]) =>
      `${count} x ${reason} (first: ${first})`
    );
  }

  /** A short text for people. */
  toString(): string {
    const parts = [`${this.kept} of ${this.rowsRead} rows kept, ${this.tokens} tokens`];
    if (this.truncatedPrompts) parts.push(`${this.truncatedPrompts} prompts truncated`);
    if (this.truncatedReplies) parts.push(`${this.truncatedReplies} replies truncated`);
    if (this.boundaryChanges) {
      parts.push(`${this.boundaryChanges} replies would have merged with the end of their prompt`);
    }
    if (this.dropped() > 0) parts.push(`dropped ${this.reasons().join(", ")}`);
    return parts.join("; ");
  }

  /** Plain values, for run logs. */
  toJSON(): Record<string, unknown> {
    const { rowsRead, kept, truncatedPrompts, truncatedReplies, boundaryChanges } = this;
    const { tokens, learnedWeight } = this;
    return {
      rowsRead,
      kept,
      truncatedPrompts,
      truncatedReplies,
      boundaryChanges,
      tokens,
      learnedWeight,
      dropped: Object.fromEntries(this.#dropped),
    };
  }
}
