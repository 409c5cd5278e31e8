import fc from "fast-check";
import { InputError } from "../../../kernels/errors.ts";
import {
  openShards,
  readSafetensors,
  SafetensorsFile,
} from "../../../workflows/model_files/safetensors.ts";
import {
  type TensorToWrite,
  writeModelTensors,
  writeSafetensors,
} from "../../../workflows/model_files/safetensors_write.ts";
import { fromBfloat16, toBfloat16 } from "../../../workflows/model_files/dtypes.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";
import { inFolder, numbers } from "./fixtures.ts";

/** The bytes of a file with the given header text, length field and data size. */
function rawFile(header: string, dataBytes = 0, length = header.length): Uint8Array {
  const bytes = new Uint8Array(8 + header.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(Uint8Array.from(header, (char) => char.charCodeAt(0)), 8);
  return bytes;
}

Deno.test("safetensors: every array type survives a round trip, with odd shapes", async () => {
  await inFolder(async (folder) => {
    const next = numbers(3);
    const tensors: TensorToWrite[] = [
      { name: "f32", shape: [3, 5], data: Float32Array.from({ length: 15 }, next) },
      { name: "f64", shape: [2], data: Float64Array.of(Math.PI, -1e300) },
      { name: "i64", shape: [2], data: BigInt64Array.of(-(2n ** 62n), 7n) },
      { name: "u64", shape: [1], data: BigUint64Array.of(2n ** 63n) },
      { name: "i32", shape: [3], data: Int32Array.of(-1, 2, 3) },
      { name: "u32", shape: [1], data: Uint32Array.of(0xffffffff) },
      { name: "i16", shape: [3], data: Int16Array.of(-3, 2, 1) },
      { name: "u16", shape: [1], data: Uint16Array.of(65535) },
      { name: "i8", shape: [5], data: Int8Array.of(-1, 2, 3, 4, 5) },
      { name: "u8", shape: [1, 1, 3], data: Uint8Array.of(9, 8, 7) },
      { name: "empty", shape: [0, 4], data: new Float32Array() },
      { name: "scalar", shape: [], data: Float32Array.of(2.5) },
    ];
    const path = `${folder}/all.safetensors`;
    await writeSafetensors(path, tensors, { metadata: { format: "pt", step: "12" } });
    const back = await readSafetensors(path);
    for (const { name, shape, data } of tensors) {
      assertEquals(back.get(name)!.data, data as Float32Array, name);
      assertEquals(back.get(name)!.shape, shape);
    }
    assertEquals(back.size, tensors.length);
    using file = await SafetensorsFile.open(path);
    assertEquals([...file.metadata], [["format", "pt"], ["step", "12"]]);
    assertEquals([...Deno.readDirSync(folder)].length, 1, "no temporary file is left");
  });
});

Deno.test("safetensors: f16 and bf16 round to nearest, ties to even", async () => {
  await inFolder(async (folder) => {
    // 1 + 2^-8 is halfway from 1 to 1 + 2^-7 (tie to even: 1); 1 + 3 * 2^-8 ties up to 1 + 2^-6.
    const values = Float32Array.of(1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -0, 65504, 2 ** -24, 1 / 3);
    const write = { name: "x", shape: [values.length], data: values };
    await writeSafetensors(`${folder}/b`, [write], { dtype: "bf16" });
    await writeSafetensors(`${folder}/h`, [write], { dtype: "f16" });
    const bf16 = (await readSafetensors(`${folder}/b`)).get("x")!.data;
    const f16 = (await readSafetensors(`${folder}/h`)).get("x")!.data;
    assertEquals([...bf16].slice(0, 5), [1, 1, 1 + 2 ** -6, -0, 65536]);
    assertEquals([...f16], [1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -0, 65504, 2 ** -24, 0.333251953125]);
    const big = { name: "x", shape: [1], data: Float32Array.of(1e6) };
    const failed = writeSafetensors(`${folder}/h2`, [big], { dtype: "f16" });
    await assertRejects(() => failed, InputError, "beyond float16");
    assert(![...Deno.readDirSync(folder)].some((entry) => entry.name.startsWith("h2")));
    // The largest bfloat16 is 2^128 - 2^120; from halfway to 2^128 on, rounding gives infinity.
    const edge = (value: number) => ({ name: "x", shape: [1], data: Float32Array.of(value) });
    const path = `${folder}/b2`;
    await writeSafetensors(path, [edge(2 ** 128 - 2 ** 120 + 2 ** 118)], { dtype: "bf16" });
    assertEquals((await readSafetensors(path)).get("x")!.data[0], 2 ** 128 - 2 ** 120);
    const beyond = edge(-(2 ** 128 - 2 ** 119));
    await assertRejects(
      () => writeSafetensors(path, [beyond], { dtype: "bf16" }),
      InputError,
      "beyond bfloat16 (3.39e38); save as f32",
    );
  });
});

Deno.test("bfloat16: within half a unit in the last place, exact on its own values", () => {
  fc.assert(fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (x) => {
    const [once] = fromBfloat16(toBfloat16(Float32Array.of(x)));
    const [twice] = fromBfloat16(toBfloat16(Float32Array.of(once)));
    if (Math.abs(x) < 3.38e38) assert(Math.abs(once - x) <= Math.max(Math.abs(x) / 256, 1e-40));
    assert(Object.is(once, twice));
  }));
  assert(Number.isNaN(fromBfloat16(toBfloat16(Float32Array.of(NaN)))[0]));
});

Deno.test("safetensors: a large model is cut into shards and read back through the index", async () => {
  await inFolder(async (folder) => {
    const tensors = ["a", "b", "c", "d"].map((name, i) => ({
      name,
      shape: [10],
      data: new Float32Array(10).fill(i),
    }));
    await writeModelTensors(folder, tensors, { shardBytes: 80 });
    const names = [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
    assertEquals(names, [
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      "model.safetensors.index.json",
    ]);
    using source = await openShards(`${folder}/model.safetensors.index.json`);
    for (const { name, data } of tensors) assertEquals((await source.float32(name)).data, data);
    const index = JSON.parse(Deno.readTextFileSync(`${folder}/model.safetensors.index.json`));
    assertEquals(index.metadata.total_size, 160);
    Deno.removeSync(`${folder}/model-00002-of-00002.safetensors`);
    const broken = () => openShards(`${folder}/model.safetensors.index.json`);
    await assertRejects(broken, InputError, "model-00002-of-00002.safetensors does not exist");
  });
});

const entry = (dtype: string, shape: number[], offsets: number[]) =>
  `{"x":{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${offsets}]}}`;

const BROKEN: [string, Uint8Array, string][] = [
  ["too short", new Uint8Array(5), "only 5 bytes"],
  ["a length beyond the file", rawFile("{}", 0, 999), "header length 999 does not fit"],
  ["a huge length", rawFile("{}", 0, Number.MAX_SAFE_INTEGER), "does not fit"],
  ["text instead of a header", rawFile("version https", 0), "not valid JSON"],
  ["bytes that are not UTF-8", rawFile('{"\u00ff":1}'), "not valid JSON"],
  ["a list", rawFile("[]"), "must be a JSON object"],
  ["metadata that is no string", rawFile('{"__metadata__":{"a":1}}'), "__metadata__.a must be"],
  ["metadata that is a list", rawFile('{"__metadata__":["a"]}'), "__metadata__ must be an object"],
  ["an unknown dtype", rawFile(entry("Q4_K", [1], [0, 4]), 4), 'dtype "Q4_K"'],
  ["a negative size", rawFile(entry("F32", [-1], [0, 4]), 4), "has the shape [-1]"],
  ["a fraction as size", rawFile(entry("F32", [1.5], [0, 6]), 6), "has the shape [1.5]"],
  ["one offset", rawFile(entry("F32", [1], [0]), 4), "expected [begin, end]"],
  ["bytes that do not fit the shape", rawFile(entry("F32", [2], [0, 4]), 4), "takes 8 bytes"],
  ["data cut off", rawFile(entry("F32", [2], [0, 8]), 4), "cut off"],
  ["a gap", rawFile(entry("F32", [1], [4, 8]), 8), "leaves a gap"],
  ["bytes left over", rawFile(entry("F32", [1], [0, 4]), 9), "5 bytes after the last"],
  [
    "an overlap",
    rawFile(
      '{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},' +
        '"y":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}',
      6,
    ),
    'tensor "y" overlaps',
  ],
];

for (const [what, bytes, message] of BROKEN) {
  Deno.test(`safetensors refuses ${what}`, async () => {
    await inFolder(async (folder) => {
      const path = `${folder}/broken.safetensors`;
      await Deno.writeFile(path, bytes);
      const error = await assertRejects(() => SafetensorsFile.open(path), InputError, message);
      assert(error.message.startsWith(path) && !error.message.includes("\n"), error.message);
    });
  });
}

Deno.test("safetensors: missing files, folders and tensors are named", async () => {
  await inFolder(async (folder) => {
    const missing = () => SafetensorsFile.open(`${folder}/nothing`);
    await assertRejects(missing, InputError, "nothing does not exist");
    const data = Float32Array.of(1, NaN);
    await writeSafetensors(`${folder}/f`, [{ name: "x", shape: [2], data }, {
      name: "ids",
      shape: [1],
      data: Int32Array.of(1),
    }]);
    using file = await SafetensorsFile.open(`${folder}/f`);
    await assertRejects(() => file.read("y"), InputError, 'there is no tensor "y"');
    await assertRejects(() => file.float32("x"), InputError, 'tensor "x": value 1 is NaN');
    await assertRejects(() => file.float32("ids"), InputError, "expected float values");
    const twice = () =>
      writeSafetensors(`${folder}/g`, [1, 2].map(() => ({ name: "x", shape: [2], data })));
    await assertRejects(twice, InputError, "written twice");
    const wrong = () => writeSafetensors(`${folder}/g`, [{ name: "x", shape: [3], data }]);
    await assertRejects(wrong, InputError, "does not hold 2 values");
  });
});
