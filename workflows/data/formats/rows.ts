/**
 * What the trainers read: one row type per task, whatever the columns of the set were called.
 *
 * A text is either plain (used as it stands) or a list of messages (rendered by a chat template, or as a
 * plain transcript). Both forms keep their meaning down to the tokens; see `tokenise/`.
 */

/** Who speaks. */
export type Role = "system" | "user" | "assistant" | "tool";

/** One turn of a conversation. */
export interface Message {
  /** Who says it. */
  readonly role: Role;
  /** What is said. */
  readonly content: string;
}

/** A plain string, or turns. */
export type Content = string | readonly Message[];

/** Language modelling: every token is learned. */
export interface TextRow {
  /** The task of the row. */
  readonly kind: "text";
  /** File and line, for messages. */
  readonly where: string;
  /** The whole text. */
  readonly text: string;
}

/** A prompt alone, to be answered by the policy (PPO, evaluation). */
export interface PromptRow {
  /** The task of the row. */
  readonly kind: "prompt";
  /** File and line, for messages. */
  readonly where: string;
  /** What is asked. */
  readonly prompt: Content;
}

/** A demonstration; with `label` also an unpaired preference (KTO): true is desirable. */
export interface PromptCompletionRow {
  /** The task of the row. */
  readonly kind: "prompt-completion";
  /** File and line, for messages. */
  readonly where: string;
  /** What is asked. */
  readonly prompt: Content;
  /** What is answered. */
  readonly completion: Content;
  /** Whether the answer is desirable; null where the set does not say. */
  readonly label: boolean | null;
}

/** Two replies to one prompt, the first preferred. Prompt and replies are all strings or all messages. */
export interface PreferenceRow {
  /** The task of the row. */
  readonly kind: "preference";
  /** File and line, for messages. */
  readonly where: string;
  /** What is asked. */
  readonly prompt: Content;
  /** The preferred reply. */
  readonly chosen: Content;
  /** The other reply. */
  readonly rejected: Content;
  /** Absolute safety labels where the set has them (PKU-SafeRLHF), for cost models; otherwise null. */
  readonly safe: { readonly chosen: boolean; readonly rejected: boolean } | null;
}

/** A whole conversation; the assistant's turns are learned. */
export interface ConversationRow {
  /** The task of the row. */
  readonly kind: "conversation";
  /** File and line, for messages. */
  readonly where: string;
  /** The turns in order. */
  readonly messages: readonly Message[];
}

/** A row with a known meaning. */
export type TaskRow = TextRow | PromptRow | PromptCompletionRow | PreferenceRow | ConversationRow;

/** Why a row did not become an example; counted in the report. */
export type DropReason =
  | "empty reply"
  | "empty prompt"
  | "empty text"
  | "no assistant turn"
  | "transcript does not begin with a speaker"
  | "transcript does not end with the assistant"
  | "same speaker twice in a row"
  | "chosen and rejected have different prompts"
  | "chosen equals rejected"
  | "chosen equals rejected after truncation"
  | "no token to learn";

/** What the conversation of a text is, whatever its form; empty for blank strings and lists. */
export function isBlank(content: Content): boolean {
  if (typeof content === "string") return content.trim() === "";
  return content.every((message) => message.content.trim() === "");
}

/** The words of a text without its form: for keys, reports and previews. */
export function plainText(content: Content): string {
  if (typeof content === "string") return content;
  return content.map((message) => message.content).join("\n");
}
