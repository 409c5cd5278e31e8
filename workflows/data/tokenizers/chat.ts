/**
 * Conversations to text and tokens, by the tokenizer's own chat template.
 *
 * Which tokens the assistant wrote is found in one of two ways: the template says it (`{%
 * generation %}`, as in transformers), or it follows from rendering the conversation up to each
 * reply and comparing. Characters become tokens by common prefixes: the reply starts at the first
 * token that the text before it does not already have.
 */
import { Template } from "@huggingface/jinja";
import { InputError, oneLine } from "../../../kernels/errors.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** One turn; further keys are passed to the template. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or what else the template knows. */
  readonly role: string;
  /** What was said. */
  readonly content: string;
}

/** Options of {@linkcode renderChat}. */
export interface ChatOptions {
  /** End with the header of an assistant turn, for the model to go on. Default false. */
  readonly addGenerationPrompt?: boolean;
  /** More variables for the template (`tools`, ...). */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** Tokens of a conversation. */
export interface ChatTokens {
  /** Token ids of the whole conversation. */
  readonly ids: number[];
  /** 1 for each token the assistant wrote (its end-of-turn token included), else 0. */
  readonly assistantMask: number[];
}

/**
 * These stand where the generation tags stood. Random, so that no message can hold one and pass its text off
 * as the assistant's.
 */
const MARK = crypto.randomUUID();
const OPEN = `\uf8f0${MARK}<`;
const CLOSE = `\uf8f0${MARK}>`;
const MARKS = new RegExp(`(${OPEN}|${CLOSE})`);
const GENERATION_TAG = /(?:^[ \t]*)?\{%([-+]?)\s*(end)?generation\s*(-?)%\}\n?/gm;

/** A compiled template, and whether it says what the assistant wrote. */
interface Compiled {
  readonly template: Template;
  readonly tagged: boolean;
}

const compiled = new Map<string, Compiled>();

/** The line's indentation and its end go with a tag, as lstrip_blocks and trim_blocks have it. */
function markGeneration(source: string): string {
  return source.replace(
    GENERATION_TAG,
    (_, left, end, right) => `{{${left === "-" ? "-" : ""} "${end ? CLOSE : OPEN}" ${right}}}`,
  );
}

function compile(source: string): Compiled {
  const known = compiled.get(source);
  if (known) return known;
  try {
    const marked = markGeneration(source);
    const fresh = { template: new Template(marked), tagged: marked !== source };
    compiled.set(source, fresh);
    return fresh;
  } catch (error) {
    throw new InputError(
      `chat template: cannot be parsed (${
        oneLine(error)
      }); mend chat_template.jinja in the model folder`,
    );
  }
}

function compileFor(tokenizer: Tokenizer): Compiled {
  if (tokenizer.chatTemplate !== null) return compile(tokenizer.chatTemplate);
  throw new InputError(
    "the tokenizer has no chat template: add chat_template.jinja to the model folder, " +
      "or use prompt and completion columns instead of messages",
  );
}

type Span = readonly [start: number, end: number];

interface Rendered {
  readonly text: string;
  /** Where `{% generation %}` blocks lie in the text. */
  readonly spans: readonly Span[];
}

function render(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: ChatOptions,
): Rendered {
  const { template } = compileFor(tokenizer);
  const token = (id: number | null) => id === null ? "" : tokenizer.tokenText(id);
  let marked: string;
  try {
    marked = template.render({
      ...options.variables,
      messages: [...messages],
      add_generation_prompt: options.addGenerationPrompt ?? false,
      bos_token: token(tokenizer.bosId),
      eos_token: token(tokenizer.eosId),
      pad_token: token(tokenizer.padId),
    });
  } catch (error) {
    throw new InputError(
      `chat template: refuses these ${messages.length} messages (${
        oneLine(error)
      }); check their roles and order`,
    );
  }
  const spans: Span[] = [];
  let [text, start] = ["", 0];
  for (const part of marked.split(MARKS)) {
    if (part === OPEN) start = text.length;
    else if (part === CLOSE) spans.push([start, text.length]);
    else text += part;
  }
  return { text, spans };
}

/**
 * The text of a conversation.
 * @throws {InputError} when there is no template, or it refuses the messages (e.g. roles out of
 * order).
 */
export function renderChat(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: ChatOptions = {},
): string {
  return render(tokenizer, messages, options).text;
}

/** The spans by rendering up to each reply: text before it must not depend on what follows. */
function prefixSpans(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: ChatOptions,
): Rendered {
  const text = renderChat(tokenizer, messages, options);
  const spans = messages.flatMap((message, i): Span[] => {
    if (message.role !== "assistant") return [];
    const shared = { ...options, addGenerationPrompt: false };
    const before = renderChat(tokenizer, messages.slice(0, i), {
      ...shared,
      addGenerationPrompt: true,
    });
    const after = renderChat(tokenizer, messages.slice(0, i + 1), shared);
    if (!after.startsWith(before) || !text.startsWith(after)) {
      throw new InputError(
        `chat template: the text before message ${i + 1} changes with what follows, so the ` +
          "assistant's part cannot be told; mark it with {% generation %} in the template",
      );
    }
    return [[before.length, after.length]];
  });
  return { text, spans };
}

function commonPrefix(a: readonly number[], b: readonly number[]): number {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  return i;
}

/**
 * The tokens of a conversation and which of them the assistant wrote.
 *
 * The template writes BOS itself where it wants one, so no special tokens are added. A token that
 * spans the border of a reply counts as the assistant's at its start and not at its end.
 * @throws {InputError} as {@linkcode renderChat}, and when the replies cannot be told from the
 * rest.
 */
export function chatTokens(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: ChatOptions = {},
): ChatTokens {
  const { text, spans } = compileFor(tokenizer).tagged
    ? render(tokenizer, messages, options)
    : prefixSpans(tokenizer, messages, options);
  const encode = (part: string) => tokenizer.encode(part, { addSpecialTokens: false });
  const ids = encode(text);
  const assistantMask: number[] = new Array(ids.length).fill(0);
  for (const [start, end] of spans) {
    const first = commonPrefix(encode(text.slice(0, start)), ids);
    const last = commonPrefix(encode(text.slice(0, end)), ids);
    assistantMask.fill(1, first, last);
  }
  return { ids, assistantMask };
}
