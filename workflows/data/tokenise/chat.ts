/**
 * Chat templates as tokenisation sees them: messages in, tokens and the assistant's share out.
 */
import type { Message } from "../formats/rows.ts";
import { chatTokens, renderChat } from "../tokenizers/chat.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";

/** Renders messages by a chat template. */
export interface ChatRenderer {
  /** A whole conversation; the mask is 1 for the tokens that the assistant says. */
  render(messages: readonly Message[]): {
    readonly ids: readonly number[];
    readonly assistantMask: readonly number[];
  };
  /** Turns that wait for an answer, up to and with the opening of the assistant's turn. */
  open(messages: readonly Message[]): readonly number[];
}

/** The renderer of a tokenizer's own template; null where it has none, and messages become a transcript. */
export function chatRenderer(tokenizer: Tokenizer): ChatRenderer | null {
  if (tokenizer.chatTemplate === null) return null;
  return {
    render: (messages) => chatTokens(tokenizer, messages),
    open: (messages) =>
      tokenizer.encode(renderChat(tokenizer, messages, { addGenerationPrompt: true }), {
        addSpecialTokens: false,
      }),
  };
}
