/**
 * Text that is partly learned, to tokens: where does the prompt end and the reply begin?
 *
 * A tokenizer may merge the last characters of the prompt with the first of the reply, so "prompt ids, then
 * reply ids" and "ids of prompt + reply" can differ. At run time the policy is given the ids of the prompt
 * and continues from there, and a pair must have one prompt; so by default (`keep_prompt`) the prompt keeps
 * exactly those ids, and the reply is the rest of the joint ids where they agree, its own ids where not.
 * `joint` is TRL's choice: ids of the whole text, and the reply begins at the first id that the prompt alone
 * would not have. Either way a disagreement is counted, for a model trained on it sees odd tokens.
 */
import type { Segment } from "../formats/transcript.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";

/** What tokenisation needs of a tokenizer. */
export type Encoder = Pick<Tokenizer, "bosId" | "eosId" | "encode">;

/** How the boundary between prompt and reply is tokenised. */
export type Boundary = "keep_prompt" | "joint";

/** Tokens with, for each, whether an assistant said it. */
export interface EncodedText {
  readonly ids: number[];
  readonly reply: boolean[];
  /** Leading tokens that truncation leaves alone (the beginning-of-sequence token). */
  readonly head: number;
  /** A reply would have merged with the text before it. */
  readonly boundaryChanged: boolean;
}

/** Encodes a text in segments; the texts of the segments are never lost or repeated. */
export function encodeSegments(
  encoder: Encoder,
  segments: readonly Segment[],
  boundary: Boundary = "keep_prompt",
): EncodedText {
  const start = startTokens(encoder);
  const encode = (text: string) => encoder.encode(text, { addSpecialTokens: false });
  const body = boundary === "joint"
    ? encodeJointly(encode, merge(segments))
    : encodeKeepingPrompts(encode, merge(segments));
  return {
    ids: [...start, ...body.ids],
    reply: [...start.map(() => false), ...body.reply],
    head: start.length,
    boundaryChanged: body.changed,
  };
}

/** The beginning-of-sequence token, if this tokenizer puts one before a text. */
export function startTokens(encoder: Encoder): number[] {
  if (encoder.bosId === null) return [];
  return encoder.encode("", { addSpecialTokens: true })[0] === encoder.bosId ? [encoder.bosId] : [];
}

type Body = { ids: number[]; reply: boolean[]; changed: boolean };

function encodeKeepingPrompts(encode: (text: string) => number[], segments: Segment[]): Body {
  const body: Body = { ids: [], reply: [], changed: false };
  // `text` is what the ids from `base` on stand for; it begins anew where the boundary did not agree.
  let text = "";
  let base = 0;
  for (const segment of segments) {
    const joint = encode(text + segment.text);
    const before = body.ids.slice(base);
    const agrees = before.every((id, i) => joint[i] === id);
    if (!agrees) {
      body.changed = true;
      base = body.ids.length;
      text = "";
    }
    const added = agrees ? joint.slice(before.length) : encode(segment.text);
    text += segment.text;
    for (const id of added) {
      body.ids.push(id);
      body.reply.push(segment.reply);
    }
  }
  return body;
}

function encodeJointly(encode: (text: string) => number[], segments: Segment[]): Body {
  const ids = encode(segments.map((segment) => segment.text).join(""));
  const reply: boolean[] = new Array(ids.length).fill(false);
  let changed = false;
  let text = "";
  let begin = 0;
  segments.forEach((segment, i) => {
    text += segment.text;
    const alone = i === segments.length - 1 ? ids : encode(text);
    let end = begin;
    while (end < alone.length && alone[end] === ids[end]) end++;
    if (end < alone.length) changed = true;
    if (segment.reply) reply.fill(true, begin, end);
    begin = end;
  });
  return { ids, reply, changed };
}

/** Joins neighbours that are both prompt: only boundaries of replies matter. */
function merge(segments: readonly Segment[]): Segment[] {
  const merged: Segment[] = [];
  for (const segment of segments) {
    const last = merged.at(-1);
    if (last && !last.reply && !segment.reply) {
      merged[merged.length - 1] = { text: last.text + segment.text, reply: false };
    } else if (segment.text !== "") merged.push(segment);
  }
  return merged;
}
