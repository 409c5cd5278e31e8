/**
 * TensorBoard event files: the TFRecord framing around `Event` protobufs with scalar summaries.
 *
 * A record is `length (u64) | masked CRC-32C of length | data | masked CRC-32C of data`, little-endian; the message
 * fields are those of TensorFlow's `event.proto` and `summary.proto`. Written by hand: thirty lines
 * against a dependency that would bring all of protobuf.
 */

/** CRC-32C (Castagnoli), reflected polynomial, one table entry per byte value. */
const CRC_TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C of `data`, as RFC 3720 has it. */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** TFRecord's mask, so that a checksum of data that holds checksums stays meaningful. */
export function maskedCrc32c(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** One record with its framing. */
export function frameRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return record;
}

/** Base-128 varint of a whole number from 0 to 2^53. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
  bytes.push(value);
  return bytes;
}

const VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5;
const key = (field: number, wire: number): number => field << 3 | wire;

function bytesField(field: number, data: readonly number[] | Uint8Array): number[] {
  return [key(field, BYTES), ...varint(data.length), ...data];
}

function textField(field: number, text: string): number[] {
  return bytesField(field, new TextEncoder().encode(text));
}

function floatField(field: number, value: number): number[] {
  return [key(field, FIXED32), ...new Uint8Array(new Float32Array([value]).buffer)];
}

function doubleField(field: number, value: number): number[] {
  return [key(field, FIXED64), ...new Uint8Array(new Float64Array([value]).buffer)];
}

/** `Event`: wall_time = 1 (double), step = 2, file_version = 3, summary = 5, session_log = 7. */
function event(seconds: number, step: number, body: readonly number[]): Uint8Array {
  return Uint8Array.from([...doubleField(1, seconds), key(2, VARINT), ...varint(step), ...body]);
}

/** The first record of every event file. */
export function versionEvent(seconds: number): Uint8Array {
  return event(seconds, 0, textField(3, "brain.Event:2"));
}

/** Tells TensorBoard to drop what an earlier file says from `step` on: a run was resumed there. */
export function restartEvent(seconds: number, step: number): Uint8Array {
  return event(seconds, step, bytesField(7, [key(1, VARINT), 1]));
}

/** Scalars at one step: `Summary.value = 1` {tag = 1, simple_value = 2}. */
export function scalarsEvent(
  seconds: number,
  step: number,
  values: Readonly<Record<string, number>>,
): Uint8Array {
  const summary = Object.entries(values).flatMap(([tag, value]) =>
    bytesField(1, [...textField(1, tag), ...floatField(2, value)])
  );
  return event(seconds, step, bytesField(5, summary));
}

/** Hugging Face's tags: `eval_loss` becomes `eval/loss`, everything else `train/...`. */
export function tensorboardTag(metric: string): string {
  return metric.startsWith("eval_") ? `eval/${metric.slice(5)}` : `train/${metric}`;
}
