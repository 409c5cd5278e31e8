/**
 * SentencePiece's BPE: merge the neighbours whose union has the best score, until no union is a
 * piece.
 *
 * This is what llama2.c's `tokenizer.bin` and Llama's GGUF files describe. Characters without a
 * piece fall back to byte pieces `<0xNN>`; a space goes before the text. (Kudo and Richardson 2018;
 * the merge order, leftmost best first, is that of llama2.c's `encode`.)
 */
import { InputError } from "../../../kernels/errors.ts";
import { bestFirst } from "./merge_queue.ts";
import { byteOf, type Piece, type SentencePieceOptions } from "./pieces.ts";
import { sentencePieceFiles } from "./sentencepiece_files.ts";
import type { DecodeOptions, EncodeOptions, Tokenizer } from "./tokenizer.ts";

/** A SentencePiece BPE tokenizer. */
export class SentencePieceTokenizer implements Tokenizer {
  readonly kind = "sentencepiece";
  readonly vocabSize: number;
  readonly bosId: number | null;
  readonly eosId: number | null;
  readonly padId: number | null;
  readonly chatTemplate: string | null;
  readonly #pieces: readonly Piece[];
  readonly #options: SentencePieceOptions;
  readonly #ids = new Map<string, number>();
  readonly #bytes = new Int32Array(256).fill(-1);
  readonly #unknown: number;
  readonly #wholeIds = new Map<string, number>();
  /** Cuts out tokens that are recognised whole; null when there are none. */
  readonly #whole: RegExp | null;

  /** Ids are positions in `pieces`. */
  constructor(pieces: readonly Piece[], options: SentencePieceOptions) {
    this.#pieces = pieces;
    this.#options = options;
    this.vocabSize = pieces.length;
    this.bosId = options.bosId;
    this.eosId = options.eosId;
    this.padId = options.padId;
    this.chatTemplate = options.chatTemplate;
    for (const [id, { text, kind }] of pieces.entries()) {
      if (kind === "byte") this.#bytes[byteOf(text)] = id;
      else if (kind === "normal" && !this.#ids.has(text)) this.#ids.set(text, id);
    }
    this.#unknown = pieces.findIndex(({ kind }) => kind === "unknown");
    for (const [id, { text, kind }] of pieces.entries()) {
      const whole = kind === "literal" || (kind === "control" && options.controlInText);
      if (whole && text !== "") this.#wholeIds.set(text, id);
    }
    // The longest first, so that <|a|><|b|> is not cut at a shorter token.
    const whole = [...this.#wholeIds.keys()].sort((a, b) => b.length - a.length)
      .map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
    this.#whole = whole.length > 0 ? new RegExp(`(${whole.join("|")})`) : null;
  }

  encode(text: string, { addSpecialTokens = true }: EncodeOptions = {}): number[] {
    const { addBos, bosId } = this.#options;
    const ids = addSpecialTokens && addBos && bosId !== null ? [bosId] : [];
    // With a capturing expression, every odd part is a token recognised whole.
    for (const [i, part] of (this.#whole ? text.split(this.#whole) : [text]).entries()) {
      if (i % 2 === 1) ids.push(this.#wholeIds.get(part)!);
      else if (part !== "") this.#encodeText(part, ids);
    }
    return ids;
  }

  #encodeText(text: string, ids: number[]): void {
    const symbols: number[] = [];
    for (const char of this.#options.spacePrefix ? ` ${text}` : text) {
      const id = this.#ids.get(char);
      if (id !== undefined) symbols.push(id);
      else this.#pushBytes(char, symbols);
    }
    const merged = bestFirst(symbols, (left, right) => {
      const id = this.#ids.get(this.#pieces[left].text + this.#pieces[right].text);
      return id === undefined ? null : { id, score: this.#pieces[id].score };
    });
    for (const id of merged) ids.push(id);
  }

  /**
   * A character that is no piece: its UTF-8 bytes, or the unknown piece where bytes are not in the
   * vocabulary.
   */
  #pushBytes(char: string, symbols: number[]): void {
    const ids = [...new TextEncoder().encode(char)].map((byte) => this.#bytes[byte]);
    if (ids.every((id) => id >= 0)) symbols.push(...ids);
    else if (this.#unknown >= 0) symbols.push(this.#unknown);
    else {
      throw new InputError(
        `the tokenizer has neither a piece for ${JSON.stringify(char)} nor an unknown token`,
      );
    }
  }

  decode(ids: readonly number[], { skipSpecialTokens = true }: DecodeOptions = {}): string {
    const bytes: number[] = [];
    const encoder = new TextEncoder();
    let atStart = this.#options.spacePrefix;
    for (const id of ids) {
      const { kind, text } = this.#piece(id);
      if (kind === "control" || kind === "unknown") {
        if (!skipSpecialTokens) bytes.push(...encoder.encode(text));
        if (id === this.bosId) atStart = this.#options.spacePrefix;
        continue;
      }
      if (kind === "byte") bytes.push(byteOf(text));
      else {
        const shown = atStart && text.startsWith(" ") ? text.slice(1) : text;
        bytes.push(...encoder.encode(shown));
      }
      atStart = false;
    }
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  }

  #piece(id: number): Piece {
    const piece = this.#pieces[id];
    if (!piece) {
      throw new InputError(`token id ${id} is not in the vocabulary (0 to ${this.vocabSize - 1})`);
    }
    return piece;
  }

  tokenText(id: number): string {
    return this.#piece(id).text;
  }

  files(): Map<string, Uint8Array | string> {
    return sentencePieceFiles(this.#pieces, this.#options);
  }
}
