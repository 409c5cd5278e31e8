/**
 * Dialogues as token ids: `<bos> <user> ... <assistant> ... <eos> <user> ...`.
 *
 * `<eos>` ends every reply, so a generator stops there and a trainer learns to stop.
 */
import type { TokenExample } from "../data/batch.ts";
import { type Dialogue, prompt, type Situation, type Turn } from "./dialogue.ts";
import { nurseryVocabulary } from "./words.ts";

/** Ids of the marks. */
export const TOKEN = { pad: 0, bos: 1, eos: 2, unk: 3, user: 4, assistant: 5 } as const;

const IDS: ReadonlyMap<string, number> = new Map(nurseryVocabulary.map((word, id) => [word, id]));

/** Ids of words; a word that is not in the vocabulary becomes `<unk>`. */
export function encodeWords(words: readonly string[]): number[] {
  return words.map((word) => IDS.get(word) ?? TOKEN.unk);
}

/**
 * Ids of a text: lower case, split at blanks and around `. , : ? !`. The exported tokenizer.json
 * does the same. No marks are added; marks written in the text are recognised.
 */
export function encode(text: string): number[] {
  const marked = text.split(/(<(?:pad|bos|eos|unk|user|assistant)>)/);
  return encodeWords(marked.flatMap((piece, i) => i % 2 ? [piece] : wordsOf(piece)));
}

/** Words of a text as the tokenizer sees them. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[.,:?!]|[^\s.,:?!]+/g) ?? [];
}

/** Words of ids. Marks are left out unless asked for. */
export function decodeWords(ids: readonly number[], marks = false): string[] {
  return ids.filter((id) => marks || id > TOKEN.assistant).map((id) =>
    nurseryVocabulary[id] ?? "<unk>"
  );
}

/** Text of ids, words separated by blanks; marks are kept. */
export function decode(ids: readonly number[]): string {
  return decodeWords(ids, true).join(" ");
}

function turnIds(turn: Turn): number[] {
  const words = encodeWords(turn.words);
  return turn.role === "user" ? [TOKEN.user, ...words] : [TOKEN.assistant, ...words, TOKEN.eos];
}

/**
 * The prompt of a dialogue or situation, up to and including the `<assistant>` that opens the
 * reply.
 */
export function promptIds(dialogue: Dialogue | Situation): number[] {
  const turns = "turns" in dialogue ? prompt(dialogue) : dialogue.context;
  return [TOKEN.bos, ...turns.flatMap(turnIds), TOKEN.assistant];
}

/** The reply in generated ids: words up to the first `<eos>`. */
export function replyWords(ids: readonly number[]): string[] {
  const end = ids.indexOf(TOKEN.eos);
  return decodeWords(end < 0 ? ids : ids.slice(0, end));
}

/** How tokens that are not part of a learned reply are weighed. */
export interface ExampleOptions {
  /** Weight of such tokens, >= 0: calibrated 0.05 for pretraining, 0 afterwards. */
  readonly promptWeight: number;
}

/**
 * A dialogue as a training example: weight 1 on learned replies and their `<eos>`, `promptWeight`
 * elsewhere.
 */
export function toExample(dialogue: Dialogue, options: ExampleOptions): TokenExample {
  const ids: number[] = [TOKEN.bos];
  const weights: number[] = [0];
  for (const turn of dialogue.turns) {
    const weight = turn.role === "assistant" && turn.learn ? 1 : options.promptWeight;
    for (const id of turnIds(turn)) {
      weights.push(id === TOKEN.user || id === TOKEN.assistant ? options.promptWeight : weight);
      ids.push(id);
    }
  }
  return { ids, weights };
}
