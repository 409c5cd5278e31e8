/**
 * Number formats of weight files and their float32 values.
 *
 * Half precision goes through the engine's own `Float16Array` (round to nearest, ties to even).
 * bfloat16 is the upper half of a float32, rounded the same way by hand. All of it assumes a
 * little-endian machine, as every machine with a WebGPU adapter is.
 */
import { InputError } from "../../kernels/errors.ts";

/** Element types of a safetensors file that are understood. */
export type Dtype =
  | "F64"
  | "F32"
  | "F16"
  | "BF16"
  | "I64"
  | "I32"
  | "I16"
  | "I8"
  | "U64"
  | "U32"
  | "U16"
  | "U8"
  | "BOOL";

/** Arrays a tensor can be written from or read into without loss. */
export type TensorArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** Bytes of one element. */
export const DTYPE_BYTES: Readonly<Record<Dtype, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
};

/** Float formats a model can be saved in. */
export type SaveDtype = "f32" | "f16" | "bf16";

/** bfloat16 bit patterns as float32 values. */
export function fromBfloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i] << 16;
  return new Float32Array(words.buffer);
}

/** float32 values as bfloat16 bit patterns, rounded to nearest, ties to even; NaN stays NaN. */
export function toBfloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = words[i];
    const isNaN = (word & 0x7fffffff) > 0x7f800000;
    bits[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return bits;
}

/**
 * Float bytes as float32 values. `bytes` must start at a multiple of the element size in its
 * buffer.
 * @throws {InputError} when the type is not a float type; `where` names the tensor.
 */
export function decodeFloats(dtype: string, bytes: Uint8Array, where: string): Float32Array {
  const { buffer, byteOffset, byteLength } = bytes;
  switch (dtype) {
    case "F32":
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case "F64":
      return Float32Array.from(new Float64Array(buffer, byteOffset, byteLength / 8));
    case "F16":
      return new Float32Array(new Float16Array(buffer, byteOffset, byteLength / 2));
    case "BF16":
      return fromBfloat16(new Uint16Array(buffer, byteOffset, byteLength / 2));
  }
  throw new InputError(`${where}: expected float values (F32, F16, BF16 or F64), found ${dtype}`);
}

/**
 * float32 values in the bytes of a save format.
 * @throws {InputError} when a finite value would be rounded to infinity (from 65520 for float16, from
 * 3.39e38 for bfloat16); `where` names the tensor.
 */
export function encodeFloats(dtype: SaveDtype, values: Float32Array, where: string): Uint8Array {
  if (dtype === "f32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const bits = dtype === "bf16"
    ? toBfloat16(values)
    : new Uint16Array(new Float16Array(values).buffer);
  const infinity = dtype === "bf16" ? 0x7f80 : 0x7c00;
  for (let i = 0; i < bits.length; i++) {
    if ((bits[i] & 0x7fff) === infinity && Number.isFinite(values[i])) {
      const [limit, instead] = dtype === "bf16"
        ? ["bfloat16 (3.39e38)", "f32"]
        : ["float16 (65504)", "bf16 or f32"];
      throw new InputError(
        `${where}: ${values[i]} at index ${i} is beyond ${limit}; save as ${instead}`,
      );
    }
  }
  return new Uint8Array(bits.buffer);
}

/**
 * Refuses values that would silently poison a run.
 * @throws {InputError} naming the tensor and the first NaN or infinity.
 */
export function checkFinite(values: Float32Array, where: string): void {
  for (let i = 0; i < values.length; i++) {
    // x - x is 0 for every finite x and NaN otherwise.
    if (values[i] - values[i] !== 0) {
      throw new InputError(
        `${where}: value ${i} is ${
          values[i]
        }; the file holds a diverged or damaged model, use another`,
      );
    }
  }
}
