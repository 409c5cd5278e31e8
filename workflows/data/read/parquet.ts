/**
 * Parquet files, one row group in memory at a time, by the package `hyparquet` (loaded when first needed).
 */
import { InputError, oneLine } from "../../../kernels/errors.ts";
import { type DataFile, type SourceRow } from "./bytes.ts";

/**
 * Rows of a Parquet file. 64-bit integers become numbers where they are exact.
 * @throws {InputError} when the file is damaged or uses what the package cannot read.
 */
export async function* readParquet(file: DataFile): AsyncGenerator<SourceRow> {
  if (file.gzipped) {
    throw new InputError(
      `${file.path}: a Parquet file cannot be read inside gzip; unpack it first`,
    );
  }
  const { parquetMetadataAsync, parquetReadObjects } = await import("hyparquet");
  const { compressors } = await import("hyparquet-compressors");
  using handle = await Deno.open(file.path);
  const buffer = await fileBuffer(handle);
  const attempt = async <T>(read: () => Promise<T>): Promise<T> => {
    try {
      return await read();
    } catch (error) {
      throw new InputError(
        `${file.path}: cannot be read as Parquet (${oneLine(error)}); copy or download it again`,
      );
    }
  };
  const metadata = await attempt(() => parquetMetadataAsync(buffer));
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await attempt(() =>
      parquetReadObjects({ file: buffer, metadata, compressors, rowStart, rowEnd })
    );
    for (let i = 0; i < rows.length; i++) {
      const where = `${file.path} row ${rowStart + i + 1}`;
      yield { values: plainNumbers(rows[i]) as Record<string, unknown>, where };
    }
    rowStart = rowEnd;
  }
}

interface FileBuffer {
  readonly byteLength: number;
  slice(start: number, end?: number): Promise<ArrayBuffer>;
}

async function fileBuffer(handle: Deno.FsFile): Promise<FileBuffer> {
  const { size } = await handle.stat();
  // One handle has one position: reads wait for each other.
  let last: Promise<unknown> = Promise.resolve();
  const read = async (start: number, end: number): Promise<ArrayBuffer> => {
    const bytes = new Uint8Array(end - start);
    await handle.seek(start, Deno.SeekMode.Start);
    for (let filled = 0; filled < bytes.length;) {
      const count = await handle.read(bytes.subarray(filled));
      if (count === null) throw new Error(`the file ends at byte ${start + filled}`);
      filled += count;
    }
    return bytes.buffer;
  };
  return {
    byteLength: size,
    slice(start: number, end: number = size): Promise<ArrayBuffer> {
      const from = start < 0 ? Math.max(0, size + start) : start;
      const result = last.then(() => read(from, Math.min(end, size)));
      last = result.catch(() => {});
      return result;
    },
  };
}

function plainNumbers(value: unknown): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return BigInt(number) === value ? number : value;
  }
  if (Array.isArray(value)) return value.map(plainNumbers);
  if (
    value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype
  ) {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plainNumbers(v)]));
  }
  return value;
}
