/**
 * Lists of messages, in OpenAI's form ({role, content}) and ShareGPT's ({from, value}).
 */
import { InputError } from "../../../kernels/errors.ts";
import type { Message, Role } from "./rows.ts";

const ROLES: ReadonlyMap<string, Role> = new Map<string, Role>(Object.entries({
  system: "system",
  developer: "system",
  user: "user",
  human: "user",
  prompter: "user",
  assistant: "assistant",
  gpt: "assistant",
  chatgpt: "assistant",
  model: "assistant",
  bot: "assistant",
  tool: "tool",
  function: "tool",
  observation: "tool",
}));

/**
 * Reads one message or a list of them. Null contents (a tool call without words) become empty.
 * @throws {InputError} naming the row, column and turn that is not a text message.
 */
export function parseMessages(value: unknown, where: string, column: string): Message[] {
  const list = Array.isArray(value) ? value : [value];
  return list.map((item, i) => {
    const place = `${where}: ${column}[${i}]`;
    if (typeof item !== "object" || item === null) {
      throw new InputError(
        `${place}: expected a message {role, content} or {from, value}, found ${
          JSON.stringify(item)?.slice(0, 60) ?? typeof item
        }`,
      );
    }
    const message = item as Record<string, unknown>;
    const name = message.role ?? message.from;
    const role = typeof name === "string" ? ROLES.get(name.toLowerCase()) : undefined;
    if (!role) {
      throw new InputError(
        `${place}: unknown role ${JSON.stringify(name)}; expected system, user, assistant or tool`,
      );
    }
    return { role, content: textOf(message.content ?? message.value ?? "", place) };
  });
}

/** Contents are a string, or parts of which only text can be learned here. */
function textOf(content: unknown, place: string): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) {
    throw new InputError(`${place}: content must be text, found ${typeof content}`);
  }
  return content.map((part) => {
    if (part?.type === "text" && typeof part.text === "string") return part.text;
    throw new InputError(
      `${place}: content part of type ${JSON.stringify(part?.type)}; only text is read`,
    );
  }).join("");
}
