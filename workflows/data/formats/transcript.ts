/**
 * HH-RLHF transcripts: one string, turns marked by "\n\nHuman:" and "\n\nAssistant:" (Bai et al. 2022,
 * arXiv:2204.05862, and the README of its data).
 *
 * The marker is written with a space after it, and that space belongs to what follows: byte-level BPE has one
 * token for " The", so a prompt must end in "Assistant:" for the reply to be made of usual tokens.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { DropReason, Message, Role } from "./rows.ts";

const MARKER = /\n\n(Human|Assistant|System):/;
const SPEAKER: Readonly<Record<string, Role>> = {
  Human: "user",
  Assistant: "assistant",
  System: "system",
};
const NAME: Readonly<Partial<Record<Role, string>>> = {
  user: "Human",
  assistant: "Assistant",
  system: "System",
};

/** Whether a value is a string with turns in it. */
export function looksLikeTranscript(value: unknown): boolean {
  return typeof value === "string" && MARKER.test(value);
}

/**
 * The turns of a transcript, contents trimmed, or why it is not one. Turns alternate and the last is the
 * assistant's; the reply may be empty, which is another matter.
 */
export function parseTranscript(transcript: string): Message[] | DropReason {
  const [before, ...pieces] = transcript.split(MARKER);
  if (before.trim() !== "" || pieces.length === 0) {
    return "transcript does not begin with a speaker";
  }
  const messages: Message[] = [];
  for (let i = 0; i < pieces.length; i += 2) {
    const role = SPEAKER[pieces[i]];
    if (messages.at(-1)?.role === role) return "same speaker twice in a row";
    messages.push({ role, content: pieces[i + 1].trim() });
  }
  if (messages.at(-1)?.role !== "assistant") return "transcript does not end with the assistant";
  return messages;
}

/** A stretch of a rendered text; `reply` is what an assistant says. */
export interface Segment {
  /** The text, spaces and markers included. */
  readonly text: string;
  /** Whether an assistant says it. */
  readonly reply: boolean;
}

/**
 * Messages as a transcript, cut where replies begin and end: joined, the texts are the transcript.
 * @throws {InputError} for a role that a transcript has no name for.
 */
export function renderTranscript(messages: readonly Message[]): Segment[] {
  return messages.flatMap(({ role, content }) => {
    const name = NAME[role];
    if (!name) {
      throw new InputError(
        `a plain transcript has no ${role} turns; use a model with a chat template`,
      );
    }
    const marker = `\n\n${name}:`;
    return role === "assistant"
      ? [{ text: marker, reply: false }, { text: ` ${content}`, reply: true }]
      : [{ text: `${marker} ${content}`, reply: false }];
  });
}
