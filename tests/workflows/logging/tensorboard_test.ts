/**
 * TensorBoard files, read back by a decoder that shares no code with the writer, and checksums against published ones.
 */
import { crc32 } from "node:zlib";
import fc from "fast-check";
import {
  crc32c,
  frameRecord,
  maskedCrc32c,
  restartEvent,
  scalarsEvent,
  tensorboardTag,
  versionEvent,
} from "../../../workflows/logging/tensorboard.ts";
import { assert, assertEquals } from "../../assert.ts";
import { readEvents, readRecords } from "./event_reader.ts";

const ascii = (text: string) => new TextEncoder().encode(text);

Deno.test("CRC-32C agrees with RFC 3720 appendix B.4 and the catalogue's check value", () => {
  assertEquals(crc32c(ascii("123456789")), 0xe3069283);
  assertEquals(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assertEquals(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assertEquals(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
  assertEquals(crc32c(Uint8Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c);
  assertEquals(crc32c(new Uint8Array(0)), 0);
  // Another polynomial gives other sums: the two must not be confused.
  assert(crc32c(ascii("123456789")) !== crc32(ascii("123456789")));
});

Deno.test("the mask rotates by 15 and adds TensorFlow's constant", () => {
  const crc = BigInt(crc32c(ascii("123456789")));
  const rotated = ((crc >> 15n) | (crc << 17n)) & 0xffffffffn;
  assertEquals(maskedCrc32c(ascii("123456789")), Number((rotated + 0xa282ead8n) & 0xffffffffn));
});

Deno.test("any data survives framing, and a flipped bit is found", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (data, where) => {
    const record = frameRecord(data);
    assertEquals(readRecords(record), [data]);
    const broken = record.slice();
    broken[where % broken.length] ^= 1;
    let found = false;
    try {
      readRecords(broken);
    } catch {
      found = true;
    }
    assert(found, "a flipped bit went unnoticed");
  }));
});

Deno.test("events read back as they were written", () => {
  const file = [
    versionEvent(1.5),
    scalarsEvent(2.25, 300, { "train/loss": 0.5, "eval/loss": -2 }),
    restartEvent(3, 2 ** 40),
  ].map(frameRecord);
  const bytes = new Uint8Array(file.flatMap((record) => [...record]));
  assertEquals(readEvents(bytes), [
    { seconds: 1.5, step: 0, version: "brain.Event:2", scalars: {} },
    { seconds: 2.25, step: 300, scalars: { "train/loss": 0.5, "eval/loss": -2 } },
    { seconds: 3, step: 2 ** 40, restart: true, scalars: {} },
  ]);
});

Deno.test("tags are Hugging Face's", () => {
  assertEquals(tensorboardTag("loss"), "train/loss");
  assertEquals(tensorboardTag("rewards/margins"), "train/rewards/margins");
  assertEquals(tensorboardTag("eval_loss"), "eval/loss");
});
