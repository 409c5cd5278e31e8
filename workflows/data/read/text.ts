/**
 * Plain text as documents: a separator stands between them, as in GPT-2's and TinyStories' training files.
 */
import { InputError } from "../../../kernels/errors.ts";
import { type DataFile, type SourceRow, splitText } from "./bytes.ts";

/** The separator when none is given; a file without it is one document. */
export const DOCUMENT_SEPARATOR = "<|endoftext|>";

/**
 * Documents of a text file as rows with the one column `text`, trimmed; blank ones are skipped.
 * `separator` is any string but the empty one; `"\n\n"` makes paragraphs and `"\n"` lines.
 * @throws {InputError} for an empty separator, and as {@linkcode splitText}.
 */
export async function* readDocuments(
  file: DataFile,
  separator: string = DOCUMENT_SEPARATOR,
): AsyncGenerator<SourceRow> {
  if (separator === "") {
    throw new InputError("separator: must not be empty; leave it out or say what it is");
  }
  for await (const { text, line } of splitText(file, separator)) {
    const document = text.replaceAll("\r\n", "\n").trim();
    if (document === "") continue;
    // The document begins after the blank lines that trimming removed.
    const leading = text.slice(0, text.length - text.trimStart().length);
    yield {
      values: { text: document },
      where: `${file.path}:${line + leading.split("\n").length - 1}`,
    };
  }
}
