/**
 * Just enough of the protocol buffer wire format to write an ONNX file.
 *
 * A message is a list of byte chunks, not one buffer, so that nesting copies no weights.
 * (https://protobuf.dev/programming-guides/encoding)
 */

/** A message under construction. */
export class Message {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** The bytes, in order. */
  get chunks(): readonly Uint8Array[] {
    return this.#chunks;
  }

  #push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
  }

  /** A number as seven bits a byte; negative numbers as 64-bit two's complement. */
  #varint(value: number | bigint): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    const bytes: number[] = [];
    do {
      const more = rest > 0x7fn ? 0x80 : 0;
      bytes.push(Number(rest & 0x7fn) | more);
      rest >>= 7n;
    } while (rest > 0n);
    this.#push(Uint8Array.from(bytes));
  }

  #tag(field: number, wire: number): void {
    this.#varint((field << 3) | wire);
  }

  /** An integer, enumeration or boolean field. */
  int(field: number, value: number | bigint): this {
    this.#tag(field, 0);
    this.#varint(value);
    return this;
  }

  /** A float32 field. */
  float(field: number, value: number): this {
    this.#tag(field, 5);
    this.#push(new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  /** A bytes field; the array is kept, not copied. */
  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, 2);
    this.#varint(value.length);
    this.#push(value);
    return this;
  }

  /** A string field. */
  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  /** A nested message. */
  message(field: number, value: Message): this {
    this.#tag(field, 2);
    this.#varint(value.length);
    for (const chunk of value.chunks) this.#push(chunk);
    return this;
  }
}
