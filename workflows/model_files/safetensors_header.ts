/**
 * The header of a safetensors file: eight bytes of length, then JSON that places every tensor.
 *
 * A file from elsewhere is not trusted: each rule of the format
 * (https://github.com/huggingface/safetensors) is checked before a byte of data is read, so that a
 * truncated download or a wrong tool is named as such.
 */
import { InputError, oneLine } from "../../kernels/errors.ts";
import { type Dtype, DTYPE_BYTES } from "./dtypes.ts";

/** One tensor's place in a file. */
export interface TensorInfo {
  /** Key in the header. */
  readonly name: string;
  /** Number type. */
  readonly dtype: Dtype;
  /** Sizes, outermost first; empty for a scalar. */
  readonly shape: readonly number[];
  /** First byte, counted from the start of the file. */
  readonly begin: number;
  /** Byte after the last. */
  readonly end: number;
}

/** What the header says. */
export interface SafetensorsHeader {
  /** Places by name, in file order. */
  readonly tensors: Map<string, TensorInfo>;
  /** The `__metadata__` strings. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Longest header the format allows, bytes. */
export const MAX_HEADER_BYTES = 100_000_000;

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * The header's length from the first eight bytes.
 * @throws {InputError} when it cannot be right for a file of `fileBytes`.
 */
export function headerLength(start: Uint8Array, fileBytes: number, path: string): number {
  if (start.length < 8) {
    throw new InputError(`${path}: not a safetensors file, it has only ${fileBytes} bytes`);
  }
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES) || length > BigInt(fileBytes - 8)) {
    throw new InputError(
      `${path}: the header length ${length} does not fit a file of ${fileBytes} bytes; ` +
        "not a safetensors file, or cut off (a Git LFS pointer is a common cause)",
    );
  }
  return Number(length);
}

function parseJson(bytes: Uint8Array, path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new InputError(
      `${path}: the header is not valid JSON (${
        oneLine(error)
      }); the file is damaged, download it again`,
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InputError(`${path}: the header must be a JSON object`);
  }
  return value as Record<string, unknown>;
}

function parseMetadata(value: unknown, path: string): Map<string, string> {
  if (
    value !== undefined && (typeof value !== "object" || value === null || Array.isArray(value))
  ) {
    throw new InputError(`${path}: __metadata__ must be an object of strings`);
  }
  const entries = Object.entries(value ?? {});
  for (const [key, text] of entries) {
    if (typeof text !== "string") {
      throw new InputError(`${path}: __metadata__.${key} must be a string`);
    }
  }
  return new Map(entries as [string, string][]);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** One header entry, its byte range counted from the start of the data. */
function parseEntry(name: string, value: unknown, path: string): TensorInfo {
  const where = `${path}: tensor "${name}"`;
  const entry = (value ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  if (typeof entry.dtype !== "string" || !Object.hasOwn(DTYPE_BYTES, entry.dtype)) {
    const known = Object.keys(DTYPE_BYTES).join(", ");
    throw new InputError(`${where} has dtype ${JSON.stringify(entry.dtype)}, expected ${known}`);
  }
  const dtype = entry.dtype as Dtype;
  const { shape, data_offsets: offsets } = entry;
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    throw new InputError(`${where} has the shape ${JSON.stringify(shape)}, expected whole sizes`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw new InputError(
      `${where} has data_offsets ${JSON.stringify(offsets)}, expected [begin, end]`,
    );
  }
  const [begin, end] = offsets as [number, number];
  const bytes = elementCount(shape) * DTYPE_BYTES[dtype];
  if (end - begin !== bytes) {
    throw new InputError(
      `${where}: ${dtype} [${shape}] takes ${bytes} bytes, data_offsets hold ${end - begin}`,
    );
  }
  return { name, dtype, shape, begin, end };
}

/**
 * Parses and checks a header.
 * @param json The header's bytes, without the eight bytes of length.
 * @param fileBytes Size of the whole file.
 * @throws {InputError} naming the first thing wrong: JSON, dtype, shape, byte range, overlap, gap.
 */
export function parseHeader(json: Uint8Array, fileBytes: number, path: string): SafetensorsHeader {
  const { __metadata__, ...entries } = parseJson(json, path);
  const metadata = parseMetadata(__metadata__, path);
  const dataStart = 8 + json.length;
  const dataBytes = fileBytes - dataStart;
  const infos = Object.entries(entries).map(([name, value]) => parseEntry(name, value, path))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  let next = 0;
  for (const { name, begin, end } of infos) {
    if (end > dataBytes) {
      throw new InputError(
        `${path}: tensor "${name}" ends at byte ${end} of ${dataBytes}; the file is cut off`,
      );
    }
    if (begin !== next) {
      const fault = begin < next ? "overlaps the one before it" : "leaves a gap before it";
      throw new InputError(`${path}: tensor "${name}" ${fault} (byte ${begin}, expected ${next})`);
    }
    next = end;
  }
  if (next !== dataBytes) {
    throw new InputError(`${path}: ${dataBytes - next} bytes after the last tensor belong to none`);
  }
  const tensors = new Map(infos.map((info) => [info.name, {
    ...info,
    begin: info.begin + dataStart,
    end: info.end + dataStart,
  }]));
  return { tensors, metadata };
}
