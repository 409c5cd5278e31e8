/**
 * The vocabulary of a SentencePiece model, as plain data.
 */

/**
 * What a piece is: text, a control token (never from text), a byte, the unknown, or a literal
 * token.
 */
export type PieceKind = "normal" | "control" | "byte" | "unknown" | "literal";

/** One entry of the vocabulary; its id is its index. */
export interface Piece {
  /** Text with plain spaces; `<0xNN>` for a byte. */
  readonly text: string;
  /** The higher, the earlier it is merged. */
  readonly score: number;
  /** What it stands for. */
  readonly kind: PieceKind;
}

/** Everything besides the pieces. */
export interface SentencePieceOptions {
  /** Beginning of a sequence. */
  readonly bosId: number | null;
  /** End of a sequence. */
  readonly eosId: number | null;
  /** Fills up a batch. */
  readonly padId: number | null;
  /** `encode` starts with BOS. */
  readonly addBos: boolean;
  /** Text that spells a control token is that token (never with llama2.c). */
  readonly controlInText: boolean;
  /** A space is put before the text, and taken away again by `decode`. */
  readonly spacePrefix: boolean;
  /** Jinja template for messages. */
  readonly chatTemplate: string | null;
  /** Original files to write beside `tokenizer.json`. */
  readonly original: ReadonlyMap<string, Uint8Array>;
}

/** Value of a byte piece. */
export function byteOf(text: string): number {
  return Number.parseInt(text.slice(3, 5), 16);
}

/** Whether a text has the form `<0xNN>`. */
export function isByteText(text: string): boolean {
  return /^<0x[0-9A-Fa-f]{2}>$/.test(text);
}
