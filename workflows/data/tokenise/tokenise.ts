/**
 * From rows to token examples: which tokens are there, and how much each is learned.
 *
 * Messages go through the model's chat template where it has one, and are written as a plain transcript where
 * not; plain strings are used as they stand. Completions and assistant turns have weight 1, everything else
 * `promptWeight` (0: completion-only and assistant-only loss; between 0 and 1: prompt loss weighting).
 */
import { InputError } from "../../../kernels/errors.ts";
import { errorIn } from "../../files.ts";
import type { TokenExample } from "../batch.ts";
import type {
  Content,
  DropReason,
  Message,
  PreferenceRow,
  PromptRow,
  TaskRow,
} from "../formats/rows.ts";
import { renderTranscript, type Segment } from "../formats/transcript.ts";
import { TokenisationReport } from "../report.ts";
import type { ChatRenderer } from "./chat.ts";
import {
  type Boundary,
  type EncodedText,
  type Encoder,
  encodeSegments,
  startTokens,
} from "./segments.ts";
import { type FittedText, fitToLength, type Truncation } from "./truncate.ts";

/** How rows become tokens. */
export interface TokeniseOptions {
  /** Longest example in tokens, at least 2. Texts (`text` rows) are not cut: packing splits them losslessly. */
  readonly maxLength: number;
  /** Which end of a too long prompt stays; default `keep_end`, the end next to the reply. */
  readonly truncation?: Truncation;
  /** Weight of tokens that are no reply, from 0 (default) to 1. */
  readonly promptWeight?: number;
  /** Learn the last assistant turn or all; default `all` for conversations, `last` where a prompt is given. */
  readonly replies?: "last" | "all";
  /** Default `keep_prompt`. */
  readonly boundary?: Boundary;
  /** End plain texts and transcripts with the end-of-sequence token; default true where there is one. */
  readonly appendEos?: boolean;
  /** The model's chat template; without it messages become a transcript. */
  readonly chat?: ChatRenderer | null;
}

/** Two tokenised replies to one prompt. */
export interface TokenPair {
  /** The preferred one. */
  readonly chosen: TokenExample;
  /** The other one. */
  readonly rejected: TokenExample;
}

/**
 * Tokenises one demonstration, conversation or text; null when it was dropped, which the report tells.
 * @throws {InputError} for a preference or prompt row, or an option out of range.
 */
export function tokeniseRow(
  row: TaskRow,
  encoder: Encoder,
  options: TokeniseOptions,
  report: TokenisationReport = new TokenisationReport(),
): TokenExample | null {
  checkOptions(options, encoder);
  if (row.kind === "preference" || row.kind === "prompt") {
    throw new InputError(
      `${row.where}: a ${row.kind} row cannot be learned by imitation; ` +
        (row.kind === "preference"
          ? "take its chosen reply by asDemonstration"
          : "it has no completion"),
    );
  }
  const encoded = inRow(row, () => encodeRow(row, encoder, options));
  const [fitted] = row.kind === "text"
    ? [{ ...encoded, promptCut: false, replyCut: false }]
    : fitToLength([encoded], options.maxLength, options.truncation ?? "keep_end");
  const example = weigh(fitted, options.promptWeight ?? 0);
  if (!example.weights.some((weight) => weight > 0)) {
    report.drop("no token to learn", row.where);
    return null;
  }
  count(report, [encoded], [fitted], [example]);
  return example;
}

/**
 * Tokenises a preference pair; both replies keep the same prompt tokens. Null when it was dropped: a reply
 * without tokens, or replies that truncation has made equal, which would train at a loss of ln 2 for ever.
 */
export function tokenisePair(
  row: PreferenceRow,
  encoder: Encoder,
  options: TokeniseOptions,
  report: TokenisationReport = new TokenisationReport(),
): TokenPair | null {
  checkOptions(options, encoder);
  const encoded = [row.chosen, row.rejected].map((reply) =>
    inRow(row, () => encodeReply(row.prompt, reply, encoder, options, "last"))
  );
  const fitted = fitToLength(encoded, options.maxLength, options.truncation ?? "keep_end");
  const [chosen, rejected] = fitted.map((text) => weigh(text, options.promptWeight ?? 0));
  const fault: DropReason | null = fitted.some((text) => !text.reply.includes(true, 1))
    ? "no token to learn"
    : chosen.ids.length === rejected.ids.length &&
        chosen.ids.every((id, i) => id === rejected.ids[i])
    ? "chosen equals rejected after truncation"
    : null;
  if (fault) {
    report.drop(fault, row.where);
    return null;
  }
  count(report, encoded, fitted, [chosen, rejected]);
  return { chosen, rejected };
}

/**
 * The ids with which a policy is asked to reply: a prompt up to where the assistant begins, cut to `maxLength`.
 * @throws {InputError} when there are none.
 */
export function tokenisePrompt(
  row: PromptRow,
  encoder: Encoder,
  options: TokeniseOptions,
): number[] {
  checkOptions(options, encoder);
  const ids = inRow(row, () => encodePrompt(row.prompt, encoder, options));
  if (ids.length === 0) throw new InputError(`${row.where}: the prompt has no tokens`);
  const over = ids.length - options.maxLength;
  if (over <= 0) return ids;
  if (options.truncation === "keep_start") return ids.slice(0, options.maxLength);
  const head = ids[0] === encoder.bosId ? 1 : 0;
  return [...ids.slice(0, head), ...ids.slice(head + over)];
}

/** Roles that a template or transcript refuses are a fault of the row, which the message must name. */
function inRow<T>(row: TaskRow, encode: () => T): T {
  try {
    return encode();
  } catch (error) {
    throw errorIn(row.where, error);
  }
}

function encodePrompt(prompt: Content, encoder: Encoder, { chat }: TokeniseOptions): number[] {
  if (typeof prompt !== "string" && chat) return [...chat.open(prompt)];
  const body = encoder.encode(openingText(prompt), { addSpecialTokens: false });
  return [...startTokens(encoder), ...body];
}

function openingText(prompt: Content): string {
  if (typeof prompt === "string") return prompt;
  const turns: Message[] = [...prompt, { role: "assistant", content: "" }];
  return renderTranscript(turns).slice(0, -1).map((segment) => segment.text).join("");
}

/** The chosen reply of a pair as a demonstration, for imitation on preference data; other rows unchanged. */
export function asDemonstration(row: TaskRow): TaskRow {
  if (row.kind !== "preference") return row;
  const { where, prompt, chosen } = row;
  return { kind: "prompt-completion", where, prompt, completion: chosen, label: null };
}

/**
 * Tokenises a stream of rows.
 * @throws {InputError} when every row was dropped.
 */
export async function* tokeniseRows(
  rows: AsyncIterable<TaskRow>,
  encoder: Encoder,
  options: TokeniseOptions,
  report: TokenisationReport = new TokenisationReport(),
): AsyncGenerator<TokenExample> {
  yield* tokeniseAll(rows, (row) => tokeniseRow(row, encoder, options, report), report);
}

/**
 * Tokenises a stream of preference pairs.
 * @throws {InputError} when a row is no pair, or every row was dropped.
 */
export async function* tokenisePairs(
  rows: AsyncIterable<TaskRow>,
  encoder: Encoder,
  options: TokeniseOptions,
  report: TokenisationReport = new TokenisationReport(),
): AsyncGenerator<TokenPair> {
  yield* tokeniseAll(rows, (row) => {
    if (row.kind === "preference") return tokenisePair(row, encoder, options, report);
    throw new InputError(
      `${row.where}: expected chosen and rejected replies, found a ${row.kind} row`,
    );
  }, report);
}

async function* tokeniseAll<T>(
  rows: AsyncIterable<TaskRow>,
  tokenise: (row: TaskRow) => T | null,
  report: TokenisationReport,
): AsyncGenerator<T> {
  let kept = 0;
  for await (const row of rows) {
    const result = tokenise(row);
    if (result === null) continue;
    kept++;
    yield result;
  }
  if (kept === 0) throw new InputError(`no row could be tokenised: ${report.reasons().join(", ")}`);
}

function encodeRow(
  row: Exclude<TaskRow, PreferenceRow | PromptRow>,
  encoder: Encoder,
  options: TokeniseOptions,
): EncodedText {
  switch (row.kind) {
    case "text":
      return encodePlain([{ text: row.text, reply: true }], encoder, options);
    case "prompt-completion":
      return encodeReply(row.prompt, row.completion, encoder, options, options.replies ?? "last");
    case "conversation": {
      const replies = row.messages.filter((message) => message.role === "assistant").length;
      const first = (options.replies ?? "all") === "all" ? 0 : replies - 1;
      return encodeMessages(row.messages, first, encoder, options);
    }
  }
}

function encodeReply(
  prompt: Content,
  reply: Content,
  encoder: Encoder,
  options: TokeniseOptions,
  learn: "last" | "all",
): EncodedText {
  if (typeof prompt === "string" || typeof reply === "string") {
    if (typeof prompt !== typeof reply) throw new TypeError("prompt and reply differ in form");
    const segments = [{ text: prompt as string, reply: false }, {
      text: reply as string,
      reply: true,
    }];
    return encodePlain(segments, encoder, options);
  }
  const earlier = prompt.filter((message) => message.role === "assistant").length;
  return encodeMessages([...prompt, ...reply], learn === "all" ? 0 : earlier, encoder, options);
}

/** Messages by template or as a transcript; assistant turns before number `first` are not learned. */
function encodeMessages(
  messages: readonly Message[],
  first: number,
  encoder: Encoder,
  options: TokeniseOptions,
): EncodedText {
  if (!options.chat) {
    let turn = 0;
    const segments = renderTranscript(messages)
      .map(({ text, reply }) => ({ text, reply: reply && turn++ >= first }));
    return encodePlain(segments, encoder, options);
  }
  const { ids, assistantMask } = options.chat.render(messages);
  let run = -1;
  const reply = assistantMask.map((value, i) => {
    if (value && !assistantMask[i - 1]) run++;
    return Boolean(value) && run >= first;
  });
  const head = ids.length > 0 && ids[0] === encoder.bosId ? 1 : 0;
  return { ids: [...ids], reply, head, boundaryChanged: false };
}

function encodePlain(
  segments: readonly Segment[],
  encoder: Encoder,
  options: TokeniseOptions,
): EncodedText {
  const encoded = encodeSegments(encoder, segments, options.boundary);
  const { eosId } = encoder;
  // An end after a turn that is not learned would teach nothing and cost a place.
  const ends = (options.appendEos ?? true) && (segments.at(-1)?.reply ?? false);
  if (eosId === null || !ends || encoded.ids.at(-1) === eosId) return encoded;
  return { ...encoded, ids: [...encoded.ids, eosId], reply: [...encoded.reply, true] };
}

/** Nothing precedes the first token, so it cannot be predicted and has weight 0. */
function weigh({ ids, reply }: FittedText, promptWeight: number): TokenExample {
  return { ids, weights: reply.map((r, i) => i === 0 ? 0 : r ? 1 : promptWeight) };
}

function count(
  report: TokenisationReport,
  encoded: readonly EncodedText[],
  fitted: readonly FittedText[],
  examples: readonly TokenExample[],
): void {
  report.kept++;
  if (fitted.some((text) => text.promptCut)) report.truncatedPrompts++;
  if (fitted.some((text) => text.replyCut)) report.truncatedReplies++;
  report.boundaryChanges += encoded.filter((text) => text.boundaryChanged).length;
  for (const { ids, weights } of examples) {
    report.tokens += ids.length;
    for (const weight of weights) report.learnedWeight += weight;
  }
}

function checkOptions(
  { maxLength, promptWeight = 0, appendEos }: TokeniseOptions,
  encoder: Encoder,
): void {
  if (!Number.isSafeInteger(maxLength) || maxLength < 2) {
    throw new InputError(`maxLength: must be a whole number from 2, found ${maxLength}`);
  }
  if (!(promptWeight >= 0 && promptWeight <= 1)) {
    throw new InputError(`promptWeight: must be from 0 to 1, found ${promptWeight}`);
  }
  if (appendEos && encoder.eosId === null) {
    throw new InputError(
      "appendEos: the tokenizer has no end-of-sequence token; set appendEos to false",
    );
  }
}
