/**
 * Plain text as documents: a separator stands between them, as in GPT-2's and TinyStories' training files.
 */
import { type DataFile, type SourceRow, splitText } from "./bytes.ts";

/** The separator when none is given; a file without it is one document. */
export const DOCUMENT_SEPARATOR = "<|endoftext|>";

/**
 * Documents of a text file as rows with the one column `text`, trimmed; blank ones are skipped.
 * `separator` is any string; `"\n\n"` makes paragraphs and `"\n"` lines.
 */
export async function* readDocuments(
  file: DataFile,
  separator: string = DOCUMENT_SEPARATOR,
): AsyncGenerator<SourceRow> {
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
