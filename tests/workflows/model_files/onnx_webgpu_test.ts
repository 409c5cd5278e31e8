import { onnxBytes } from "../../../workflows/model_files/onnx/export.ts";
import { forward, toPolicy } from "../../reference/transformer.ts";
import { assert } from "../../assert.ts";
import { CONFIGS, randomWeights } from "./fixtures.ts";

/** On Linux without this, Deno falls back to OpenGL in silence; the folder keeps Mesa quiet. */
async function adapterExists(): Promise<boolean> {
  if (Deno.build.os === "linux") {
    Deno.env.set("DENO_WEBGPU_BACKEND", "vulkan");
    if (!Deno.env.get("XDG_RUNTIME_DIR")) Deno.env.set("XDG_RUNTIME_DIR", Deno.makeTempDirSync());
  }
  return await navigator.gpu?.requestAdapter() !== null;
}

const available = await adapterExists();

Deno.test({
  name: "ONNX: onnxruntime's WebGPU provider gives the float64 reference's logits" +
    (available ? "" : " (skipped: no WebGPU adapter)"),
  ignore: !available,
  // The runtime keeps its device for the next session.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const ort = await import("onnxruntime-web/webgpu");
    const weights = randomWeights({
      ...CONFIGS["llama with grouped queries and wide heads"],
      layers: 1,
    });
    const session = await ort.InferenceSession.create(onnxBytes(weights), {
      executionProviders: ["webgpu"],
      logSeverityLevel: 3,
    });
    const ids = [3, 1, 4, 1, 5, 9, 2, 6];
    const feeds = { input_ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [2, 4]) };
    const logits = (await session.run(feeds)).logits.data as Float32Array;
    const positions = ids.map((_, i) => i % 4);
    const tokens = { rows: 2, length: 4, ids, positions, starts: ids.map(() => 0) };
    const expected = forward(toPolicy(weights), tokens).logits;
    const norm = (values: Iterable<number>) => Math.hypot(...values);
    const error = norm(expected.map((value, i) => value - logits[i])) / norm(expected);
    assert(error < 5e-6, `relative error ${error}`);
    await session.release();
  },
});
