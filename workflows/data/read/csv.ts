/**
 * Comma- and tab-separated values (RFC 4180: quoted fields may hold separators, quotes and line breaks),
 * by the package `csv-parse`, streaming.
 */
import { InputError, oneLine } from "../../../kernels/errors.ts";
import { type DataFile, MAX_RECORD_LENGTH, readText, type SourceRow } from "./bytes.ts";

/**
 * Rows of a CSV or TSV file; every value is a string. `header` names the columns of a file that has no
 * header line (without it the first line is the header).
 * @throws {InputError} with the line number when a record is malformed.
 */
export async function* readCsv(
  file: DataFile,
  header?: readonly string[],
): AsyncGenerator<SourceRow> {
  const { parse } = await import("csv-parse/stream");
  const parser = parse({
    columns: header ? [...header] : (names: string[]) => checkHeader(names, file.path),
    delimiter: file.kind === "tsv" ? "\t" : ",",
    // Published TSV files carry bare quotes inside fields; in CSV a bare quote is an error worth hearing of.
    relax_quotes: file.kind === "tsv",
    max_record_size: MAX_RECORD_LENGTH,
    skip_empty_lines: true,
    info: true,
  });
  let line = header ? 1 : 2;
  try {
    // Decoding and encoding again costs little and makes the UTF-8 check the same for all formats.
    const bytes = ReadableStream.from(readText(file)).pipeThrough(new TextEncoderStream());
    for await (const item of bytes.pipeThrough(parser)) {
      const { record, info } = item as { record: Record<string, string>; info: { lines: number } };
      yield { values: record, where: `${file.path}:${line}` };
      line = info.lines + 1;
    }
  } catch (error) {
    if (error instanceof InputError || !(error instanceof Error && "code" in error)) throw error;
    throw new InputError(
      `${file.path}: not valid ${file.kind.toUpperCase()} (${oneLine(error)}); mend that record`,
    );
  }
}

function checkHeader(names: readonly string[], path: string): string[] {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new InputError(
      `${path}: the column ${JSON.stringify(twice)} appears twice in the header; ` +
        `rename one, or name the columns of a file without a header by the option header`,
    );
  }
  return [...names];
}
