/**
 * From a file on disk to text, in bounded memory: gunzip, strict UTF-8, lines.
 *
 * Everything above reads through here, so a damaged file is reported in the same words whatever its format.
 * `node:zlib` and not `DecompressionStream`: files made by `cat a.gz b.gz` or bgzip have several members,
 * which the web class refuses, and only zlib tells "truncated" from "not gzip".
 */
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { InputError, oneLine } from "../../../kernels/errors.ts";

/** The formats a data file can have, by what its text means; compression is apart. */
export type FileKind = "jsonl" | "json" | "csv" | "tsv" | "parquet" | "text";

/** One file to read. */
export interface DataFile {
  /** Where it is. */
  readonly path: string;
  /** How to read it. */
  readonly kind: FileKind;
  /** Whether it has to be unpacked first. */
  readonly gzipped: boolean;
}

/** One row as read, before anything is known of its meaning. */
export interface SourceRow {
  /** Values by column. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Where it stands, for messages: `file:line` for text formats, `file row N` for the others. */
  readonly where: string;
}

/** Longest line or document, in UTF-16 units: a file without the expected breaks must not fill the memory. */
export const MAX_RECORD_LENGTH: number = 2 ** 26;

/**
 * The bytes of a file, decompressed.
 * @throws {InputError} when it cannot be opened, is not gzip though its name says so, or ends too early.
 */
export async function* readBytes(file: DataFile): AsyncGenerator<Uint8Array> {
  let handle: Deno.FsFile;
  try {
    handle = await Deno.open(file.path);
  } catch (error) {
    throw new InputError(`${file.path}: cannot be opened (${oneLine(error)})`);
  }
  if (!file.gzipped) return yield* handle.readable;
  const gunzip = createGunzip();
  // deno-lint-ignore no-explicit-any -- Node's and the web's stream types differ only in name
  const compressed = Readable.fromWeb(handle.readable as any);
  compressed.on("error", (error) => gunzip.destroy(error)).pipe(gunzip);
  try {
    for await (const chunk of gunzip) yield chunk as Uint8Array;
  } catch (error) {
    const reason = oneLine(error);
    if (reason.includes("incorrect header")) {
      throw new InputError(
        `${file.path}: is named .gz but is not gzip data; rename or compress it`,
      );
    }
    if (reason.includes("unexpected end")) {
      throw new InputError(`${file.path}: the gzip data ends too early; copy or download it again`);
    }
    throw new InputError(`${file.path}: damaged gzip data (${reason}); copy or download it again`);
  } finally {
    compressed.destroy();
    gunzip.destroy();
  }
}

/**
 * The text of a file, chunk by chunk, without a byte order mark.
 * @throws {InputError} when it is not UTF-8, with the byte range that holds the fault.
 */
export async function* readText(file: DataFile): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let offset = 0;
  const decode = (bytes?: Uint8Array): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      const end = offset + (bytes?.length ?? 0);
      throw new InputError(
        `${file.path}: not UTF-8 text (bytes ${offset} to ${end}); convert it, for example with iconv`,
      );
    }
  };
  for await (const bytes of readBytes(file)) {
    yield decode(bytes);
    offset += bytes.length;
  }
  yield decode();
}

/**
 * Pieces of the text between separators, numbered by the line on which each begins (from 1).
 * @throws {InputError} when a piece is longer than {@linkcode MAX_RECORD_LENGTH}.
 */
export async function* splitText(
  file: DataFile,
  separator: string,
): AsyncGenerator<{ text: string; line: number }> {
  let pending = "";
  let searched = 0;
  let line = 1;
  for await (const chunk of readText(file)) {
    pending += chunk;
    let begin = 0;
    for (
      let at = pending.indexOf(separator, searched);
      at >= 0;
      at = pending.indexOf(separator, begin)
    ) {
      const text = pending.slice(begin, at);
      yield { text, line };
      line += countNewlines(text) + countNewlines(separator);
      begin = at + separator.length;
    }
    pending = pending.slice(begin);
    // A separator may straddle two chunks; everything before its possible begin is searched once only.
    searched = Math.max(0, pending.length - separator.length + 1);
    if (pending.length > MAX_RECORD_LENGTH) {
      throw new InputError(
        `${file.path}:${line}: no ${
          JSON.stringify(separator)
        } in ${MAX_RECORD_LENGTH} characters; ` +
          `is this the right file type or separator?`,
      );
    }
  }
  if (pending !== "") yield { text: pending, line };
}

function countNewlines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}
