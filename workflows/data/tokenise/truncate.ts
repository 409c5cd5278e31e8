/**
 * Cutting to a maximum length without ever emptying a reply: the prompt gives way first, down to one token,
 * then the reply loses its end.
 */
import type { EncodedText } from "./segments.ts";

/** Which end of a prompt stays when it is too long. The reply always stays before the prompt does. */
export type Truncation = "keep_end" | "keep_start";

/** A text that fits, and what it cost. */
export interface FittedText {
  readonly ids: number[];
  readonly reply: boolean[];
  readonly promptCut: boolean;
  readonly replyCut: boolean;
}

/** Cuts texts that share one prompt by the same number of prompt tokens, so that they still share it. */
export function fitToLength(
  texts: readonly EncodedText[],
  maxLength: number,
  truncation: Truncation,
): FittedText[] {
  const longest = Math.max(...texts.map((text) => text.ids.length));
  const spare = Math.min(...texts.map((text) => promptLength(text) - Math.max(text.head, 1)));
  const cut = Math.max(0, Math.min(longest - maxLength, spare));
  return texts.map((text) => {
    const from = truncation === "keep_end" ? text.head : promptLength(text) - cut;
    const keep = <T>(values: T[]): T[] =>
      [...values.slice(0, from), ...values.slice(from + cut)].slice(0, maxLength);
    return {
      ids: cut === 0 && text.ids.length <= maxLength ? text.ids : keep(text.ids),
      reply: cut === 0 && text.ids.length <= maxLength ? text.reply : keep(text.reply),
      promptCut: cut > 0,
      replyCut: text.ids.length - cut > maxLength,
    };
  });
}

/** Tokens before the first reply. */
function promptLength({ reply }: EncodedText): number {
  const first = reply.indexOf(true);
  return first < 0 ? reply.length : first;
}
