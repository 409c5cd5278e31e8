/**
 * A small reader of TensorBoard event files for tests: BigInt arithmetic and a bitwise CRC, no code of the writer's.
 */

/** One decoded event. */
export interface DecodedEvent {
  readonly seconds: number;
  readonly step: number;
  readonly version?: string;
  readonly restart?: boolean;
  readonly scalars: Readonly<Record<string, number>>;
}

/** CRC-32C bit by bit, most significant first on reflected input: slow and plain. */
function slowCrc32c(data: Uint8Array): bigint {
  let crc = 0xffffffffn;
  for (const byte of data) {
    for (let bit = 0n; bit < 8n; bit++) {
      const low = (crc ^ (BigInt(byte) >> bit)) & 1n;
      crc = (crc >> 1n) ^ (low ? 0x82f63b78n : 0n);
    }
  }
  return crc ^ 0xffffffffn;
}

function checkSum(data: Uint8Array, masked: number): void {
  const rotated = (BigInt(masked) - 0xa282ead8n + 0x100000000n) & 0xffffffffn;
  const crc = ((rotated << 15n) | (rotated >> 17n)) & 0xffffffffn;
  if (crc !== slowCrc32c(data)) throw new Error("checksum does not match");
}

/** The records of a TFRecord file; throws at a wrong checksum or a torn end. */
export function readRecords(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    checkSum(bytes.subarray(at, at + 8), view.getUint32(at + 8, true));
    const data = bytes.slice(at + 12, at + 12 + length);
    checkSum(data, view.getUint32(at + 12 + length, true));
    records.push(data);
    at += length + 16;
  }
  return records;
}

/** The fields of one protobuf message: number and raw value. */
function fields(data: Uint8Array): { field: number; value: bigint | Uint8Array }[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const result: { field: number; value: bigint | Uint8Array }[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = data[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < data.length) {
    const tag = Number(varint());
    const field = tag >> 3;
    const wire = tag & 7;
    if (wire === 0) result.push({ field, value: varint() });
    else {
      const length = wire === 1 ? 8 : wire === 5 ? 4 : Number(varint());
      result.push({ field, value: new Uint8Array(view.buffer, view.byteOffset + at, length) });
      at += length;
    }
  }
  return result;
}

const float64 = (data: Uint8Array) => new Float64Array(data.slice().buffer)[0];
const float32 = (data: Uint8Array) => new Float32Array(data.slice().buffer)[0];
const text = (data: Uint8Array) => new TextDecoder().decode(data);

function scalars(summary: Uint8Array): Record<string, number> {
  const result: Record<string, number> = {};
  for (const { value } of fields(summary)) {
    const parts = new Map(
      fields(value as Uint8Array).map((part) => [part.field, part.value as Uint8Array]),
    );
    result[text(parts.get(1)!)] = float32(parts.get(2)!);
  }
  return result;
}

/** The events of a file. */
export function readEvents(bytes: Uint8Array): DecodedEvent[] {
  return readRecords(bytes).map((record) => {
    const parts = new Map(fields(record).map((part) => [part.field, part.value]));
    const version = parts.get(3) as Uint8Array | undefined;
    const summary = parts.get(5) as Uint8Array | undefined;
    const session = parts.get(7) as Uint8Array | undefined;
    const restart = session &&
      fields(session).some(({ field, value }) => field === 1 && value === 1n);
    return {
      seconds: float64(parts.get(1) as Uint8Array),
      step: Number(parts.get(2)),
      ...version ? { version: text(version) } : {},
      ...restart ? { restart } : {},
      scalars: summary ? scalars(summary) : {},
    };
  });
}
