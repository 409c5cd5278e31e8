/**
 * One interface for every tokenizer, and streaming decoding on top of it.
 */

/** Options of {@linkcode Tokenizer.encode}. */
export interface EncodeOptions {
  /** Add what the tokenizer adds to every text (often a BOS). Default true, as in transformers. */
  readonly addSpecialTokens?: boolean;
}

/** Options of {@linkcode Tokenizer.decode}. */
export interface DecodeOptions {
  /** Leave out BOS, EOS and other special tokens. Default true (transformers: false). */
  readonly skipSpecialTokens?: boolean;
}

/** Text to token ids and back. */
export interface Tokenizer {
  /** Where it came from: `tokenizer.json`, `sentencepiece`. */
  readonly kind: string;
  /** One more than the largest id. */
  readonly vocabSize: number;
  /** Beginning of a sequence. */
  readonly bosId: number | null;
  /** End of a sequence. */
  readonly eosId: number | null;
  /** Fills up a batch; null when the tokenizer names none. */
  readonly padId: number | null;
  /** Jinja template that turns messages into text; null for a base model. */
  readonly chatTemplate: string | null;
  /** Token ids of a text. */
  encode(text: string, options?: EncodeOptions): number[];
  /**
   * Text of token ids; bytes that are no UTF-8 become U+FFFD.
   * @throws {InputError} on an id outside the vocabulary.
   */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  /** The string of a special token, as chat templates write it. */
  tokenText(id: number): string;
  /** The files that make a folder load this tokenizer again, by name. */
  files(): Map<string, Uint8Array | string>;
}

/**
 * Decodes a growing sequence without printing half a character.
 *
 * Only the last tokens are decoded again (a token's text may depend on the one before it: the
 * leading space of SentencePiece, characters split over several byte tokens), so each step costs
 * the same.
 */
export class TextStream {
  readonly #tokenizer: Tokenizer;
  readonly #options: DecodeOptions;
  #window: number[];
  #shown: string;

  /**
   * Starts a stream.
   * @param prompt Ids that come before; their text is not returned.
   */
  constructor(tokenizer: Tokenizer, prompt: readonly number[] = [], options: DecodeOptions = {}) {
    this.#tokenizer = tokenizer;
    this.#options = options;
    this.#window = prompt.slice(-8);
    this.#shown = tokenizer.decode(this.#window, options);
  }

  /** The text that one more token completes; empty inside a character. */
  push(id: number): string {
    this.#window.push(id);
    const text = this.#tokenizer.decode(this.#window, this.#options);
    if (text.endsWith("\ufffd")) return "";
    const fresh = text.slice(this.#shown.length);
    this.#window = this.#window.slice(-8);
    this.#shown = this.#tokenizer.decode(this.#window, this.#options);
    return fresh;
  }

  /** What is left at the end: an unfinished character as U+FFFD. */
  end(): string {
    const text = this.#tokenizer.decode(this.#window, this.#options);
    const fresh = text.slice(this.#shown.length);
    this.#shown = text;
    return fresh;
  }
}

/**
 * The text that `ids` add after `prompt` (with the space that a decode of `ids` alone would lose).
 */
export function decodeContinuation(
  tokenizer: Tokenizer,
  prompt: readonly number[],
  ids: readonly number[],
  options: DecodeOptions = {},
): string {
  const stream = new TextStream(tokenizer, prompt, options);
  return ids.map((id) => stream.push(id)).join("") + stream.end();
}
