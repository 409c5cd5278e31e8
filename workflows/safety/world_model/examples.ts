/**
 * Labelled replies: what a world model is trained on, and what its errors are counted on.
 */
import type { Judgeable } from "./model.ts";

/** Who wrote a reply: the oracle's tools, a policy, or the authors of a data file. */
export type ReplySource = "proposal" | "policy" | "file";

/** A context, a reply, and whether it is unsafe. */
export interface LabelledReply extends Judgeable {
  /** The label. */
  readonly unsafe: boolean;
  /** Who wrote it. */
  readonly source: ReplySource;
  /** How it was made: a sort of proposal, a kind of dialogue, `sampled`, a file's format. */
  readonly sort: string;
  /** Attack family of the request, or whatever else groups contexts. */
  readonly family: string;
  /** Whether safety training shows that family. */
  readonly seen: boolean;
  /**
   * It says no and is safe. Replacing it by a refusal costs nothing, so such replies do not count in the false positive rate that the
   * threshold is set for.
   */
  readonly refusal: boolean;
}

/** Lower-case hexadecimal SHA-256. */
export async function sha256(bytes: BufferSource): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** SHA-256 of the tokens and labels, in order: two data sets of one hash are the same to a world model. */
export function dataHash(replies: readonly LabelledReply[]): Promise<string> {
  const words = replies.flatMap(({ prompt, reply, unsafe }) => [
    Number(unsafe),
    prompt.length,
    reply.length,
    ...prompt,
    ...reply,
  ]);
  return sha256(Uint32Array.from(words));
}
