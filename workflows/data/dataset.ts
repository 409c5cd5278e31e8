/**
 * One way in for every data set: a path, a folder, a glob or a hub name becomes a stream of rows.
 *
 * Rows are read anew on every pass and never all held, so a set may be larger than memory; every row knows
 * the file and line it came from, because that is what a user needs when one of a million is wrong.
 */
import { InputError } from "../../kernels/errors.ts";
import type { DataFile, FileKind, SourceRow } from "./read/bytes.ts";
import { readCsv } from "./read/csv.ts";
import { classifyFile, findFiles } from "./read/files.ts";
import { fetchHubFiles, type HubOptions, parseHubName } from "./read/hub.ts";
import { readJson, readJsonl } from "./read/json.ts";
import { readParquet } from "./read/parquet.ts";
import { readDocuments } from "./read/text.ts";

/** How to find and read a data set. */
export interface DatasetOptions extends HubOptions {
  /** What the files are, where the extension does not say. */
  readonly fileType?: FileKind;
  /** JSON: the field (dots for depth) that holds the rows. */
  readonly field?: string;
  /** CSV and TSV without a header line: the names of the columns. */
  readonly header?: readonly string[];
  /** Text: what stands between documents; default `<|endoftext|>`. */
  readonly separator?: string;
}

/** A stream of rows that can be walked again and again. */
export class Dataset implements AsyncIterable<SourceRow> {
  /** As the user named it. */
  readonly name: string;
  /** The files behind it, in reading order. */
  readonly files: readonly DataFile[];
  readonly #options: DatasetOptions;

  /** A data set of these files, in this order; `openDataset` finds them. */
  constructor(name: string, files: readonly DataFile[], options: DatasetOptions = {}) {
    this.name = name;
    this.files = files;
    this.#options = options;
  }

  /**
   * The rows of all files in order.
   * @throws {InputError} at the first row or file that cannot be read, and for a file without rows.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<SourceRow> {
    for (const file of this.files) {
      let rows = 0;
      for await (const row of readFile(file, this.#options)) {
        rows++;
        yield row;
      }
      if (rows === 0) throw new InputError(`${file.path}: no rows in it (an empty file?)`);
    }
  }

  /** The first rows, for a look at what is there. */
  async head(count: number): Promise<SourceRow[]> {
    const rows: SourceRow[] = [];
    if (count < 1) return rows;
    for await (const row of this) {
      rows.push(row);
      if (rows.length >= count) break;
    }
    return rows;
  }

  /** Names of the columns of the first row. */
  async columns(): Promise<string[]> {
    return Object.keys((await this.head(1))[0].values);
  }
}

/**
 * Opens a data set by path, folder, glob, or hub name. Files are found now and read when iterated.
 *
 * @example
 * ```ts ignore
 * for await (const row of await openDataset("pairs.jsonl.gz")) console.log(row.where, row.values);
 * ```
 * @throws {InputError} when nothing is found, or the hub name cannot be resolved.
 */
export async function openDataset(
  pathOrHubName: string,
  options: DatasetOptions = {},
): Promise<Dataset> {
  const local = await findFiles(pathOrHubName, options.fileType);
  if (local) return new Dataset(pathOrHubName, local, options);
  const hub = parseHubName(pathOrHubName);
  // `corpus/train.jsonl` has the shape of a hub name, but who writes it means a file.
  const meansFile = classifyFile(pathOrHubName) !== null || /\.gz$/i.test(pathOrHubName);
  if (!hub || meansFile) {
    throw new InputError(`${pathOrHubName}: no such file or folder, and not a hub name (org/name)`);
  }
  return new Dataset(pathOrHubName, await fetchHubFiles(hub, options, options.fileType), options);
}

function readFile(file: DataFile, options: DatasetOptions): AsyncIterable<SourceRow> {
  switch (file.kind) {
    case "jsonl":
      return readJsonl(file);
    case "json":
      return readJson(file, options.field);
    case "csv":
    case "tsv":
      return readCsv(file, options.header);
    case "parquet":
      return readParquet(file);
    case "text":
      return readDocuments(file, options.separator);
  }
}
