import { InputError } from "../../../kernels/errors.ts";
import type { PolicyWeights } from "../../../kernels/policy/config.ts";
import { loadModel } from "../../../workflows/model_files/load_model.ts";
import { exportOnnx, onnxBytes } from "../../../workflows/model_files/onnx/export.ts";
import { Message } from "../../../workflows/model_files/onnx/protobuf.ts";
import { readSafetensors } from "../../../workflows/model_files/safetensors.ts";
import { forward, toPolicy } from "../../reference/transformer.ts";
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "../../assert.ts";
import { sharedTest } from "../../shared.ts";
import { CONFIGS, inFolder, numbers, randomWeights } from "./fixtures.ts";
import * as ort from "onnxruntime-web/wasm";

type Numbers = ArrayLike<number>;

/** The logits of an ONNX file, [rows * length * vocab]. */
async function run(
  file: Uint8Array<ArrayBuffer>,
  ids: number[][],
  mask?: number[][],
): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(file);
  const int64 = (rows: number[][]) =>
    new ort.Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0].length]);
  const feeds = { input_ids: int64(ids), ...(mask ? { attention_mask: int64(mask) } : {}) };
  const { logits } = await session.run(feeds);
  assertEquals(logits.dims.slice(0, 2), [ids.length, ids[0].length]);
  const data = (logits.data as Float32Array).slice();
  await session.release();
  return data;
}

/** norm(a - b) / norm(b) over the positions that a mask keeps. */
function relativeError(a: Numbers, b: Numbers, mask: number[], vocab: number): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    if (mask[Math.floor(i / vocab)] === 0) continue;
    difference += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(difference / size);
}

function reference(weights: PolicyWeights, ids: number[][]): Float64Array {
  const [rows, length] = [ids.length, ids[0].length];
  const positions = ids.flatMap(() => Array.from({ length }, (_, i) => i));
  const starts = new Uint32Array(rows * length);
  return forward(toPolicy(weights), { rows, length, ids: ids.flat(), positions, starts }).logits;
}

for (const name of ["gpt2-tiny", "llama-tiny", "qwen2-tiny", "gpt-neox-tiny"]) {
  sharedTest(`ONNX: ${name} gives PyTorch's logits`, ["golden", name], async (folder) => {
    const { weights } = await loadModel(folder);
    const inputs = JSON.parse(Deno.readTextFileSync(`${folder}/inputs.json`));
    const { input_ids: ids, attention_mask: mask } = inputs;
    const expected = (await readSafetensors(`${folder}/expected.safetensors`)).get("logits")!;
    const file = onnxBytes(weights, { attentionMask: true });
    const vocab = weights.config.vocabSize;
    const logits = await run(file, ids, mask);
    const error = relativeError(logits, expected.data as Float32Array, mask.flat(), vocab);
    assert(error < 2e-6, `relative error ${error}`);
    // Padding is on the right, so without the mask the real positions do not change.
    const unmasked = await run(onnxBytes(weights), ids);
    const same = relativeError(unmasked, expected.data as Float32Array, mask.flat(), vocab);
    assert(same < 2e-6, `relative error without a mask ${same}`);
  });
}

for (const [name, config] of Object.entries(CONFIGS)) {
  Deno.test(`ONNX: ${name} equals the float64 reference at every batch and length`, async () => {
    const weights = randomWeights(config, 5);
    const file = onnxBytes(weights);
    const next = numbers(2);
    for (const [rows, length] of [[1, 1], [3, 7], [2, config.context]]) {
      const ids = Array.from(
        { length: rows },
        () => Array.from({ length }, () => Math.floor((next() + 0.5) * config.vocabSize)),
      );
      const logits = await run(file, ids);
      const error = relativeError(logits, reference(weights, ids), [], config.vocabSize);
      assert(error < 2e-6, `[${rows}, ${length}]: relative error ${error}`);
    }
  });
}

Deno.test("ONNX: masked keys are not seen, and left padding stays finite", async () => {
  const weights = randomWeights(CONFIGS.gpt2);
  const file = onnxBytes(weights, { attentionMask: true });
  const vocab = CONFIGS.gpt2.vocabSize;
  const mask = [[0, 0, 1, 1, 1]];
  const a = await run(file, [[3, 4, 5, 6, 7]], mask);
  const b = await run(file, [[9, 8, 5, 6, 7]], mask);
  assert(a.every(Number.isFinite));
  assertEquals(a.slice(2 * vocab), b.slice(2 * vocab));
  const unmasked = await run(onnxBytes(weights), [[9, 8, 5, 6, 7]]);
  assert(relativeError(unmasked.slice(2 * vocab), b.slice(2 * vocab), [], vocab) > 1e-3);
});

sharedTest(
  "ONNX: tiny-random-gpt2 gives the published logits",
  ["data", "models", "tiny-random-gpt2"],
  async (folder) => {
    const { weights } = await loadModel(folder);
    const file = onnxBytes(weights);
    const { cases } = JSON.parse(Deno.readTextFileSync(`${folder}/golden.json`));
    for (const { ids, logits_every_200, greedy_ids } of cases) {
      const logits = await run(file, [ids]);
      logits_every_200.flat().forEach((value: number, i: number) =>
        assertAlmostEquals(logits[200 * i], value, 1e-6)
      );
      const greedy = [...ids];
      while (greedy.length < greedy_ids.length) {
        const last = (await run(file, [greedy])).slice(-1000);
        greedy.push(last.indexOf(Math.max(...last)));
      }
      assertEquals(greedy, greedy_ids);
    }
  },
);

Deno.test("ONNX: weights outside the file give the same logits", async () => {
  await inFolder(async (folder) => {
    const weights = randomWeights(CONFIGS.qwen2);
    const inside = `${folder}/inside.onnx`;
    assertEquals(await exportOnnx(inside, weights), [inside]);
    const path = `${folder}/model.onnx`;
    const files = await exportOnnx(path, weights, { maxInsideBytes: 100 });
    assertEquals(files, [path, `${path}.data`]);
    assert(Deno.statSync(path).size < 10_000);
    const data = { path: "model.onnx.data", data: Deno.readFileSync(`${path}.data`) };
    const session = await ort.InferenceSession.create(Deno.readFileSync(path), {
      externalData: [data],
    });
    const ids = new ort.Tensor("int64", BigInt64Array.of(1n, 2n, 3n), [1, 3]);
    const outside = (await session.run({ input_ids: ids })).logits.data as Float32Array;
    assertEquals(outside, await run(Deno.readFileSync(inside), [[1, 2, 3]]));
    await session.release();
    assertEquals(Deno.readFileSync(inside), onnxBytes(weights));
  });
});

Deno.test("ONNX: a file cannot be written into a folder that is not there", async () => {
  const write = () => exportOnnx("/nonexistent/model.onnx", randomWeights(CONFIGS.gpt2));
  await assertRejects(write, InputError, "/nonexistent/model.onnx does not exist");
});

Deno.test("protobuf: known encodings", () => {
  const bytes = (message: Message) => message.chunks.flatMap((chunk) => [...chunk]);
  // The encoding guide's examples: 150 as field 1, "testing" as field 2, a nested 150 as field 3.
  assertEquals(bytes(new Message().int(1, 150)), [0x08, 0x96, 0x01]);
  assertEquals(bytes(new Message().string(2, "testing")), [
    0x12,
    0x07,
    ...new TextEncoder().encode("testing"),
  ]);
  const nested = new Message().message(3, new Message().int(1, 150));
  assertEquals(bytes(nested), [0x1a, 0x03, 0x08, 0x96, 0x01]);
  assertEquals(nested.length, 5);
  assertEquals(bytes(new Message().int(1, -1)), [0x08, ...Array(9).fill(0xff), 0x01]);
  assertEquals(bytes(new Message().float(1, 1)), [0x0d, 0, 0, 0x80, 0x3f]);
});
