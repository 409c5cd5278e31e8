import { InputError } from "../../../kernels/errors.ts";
import type { PolicyWeights } from "../../../kernels/policy/config.ts";
import { toBfloat16 } from "../../../workflows/model_files/dtypes.ts";
import { loadModel } from "../../../workflows/model_files/load_model.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";
import { sharedTest } from "../../shared.ts";
import { CONFIGS, inFolder, randomWeights } from "./fixtures.ts";
import { ggufFile, ggufMetadata, type GgufTensor, ggufTensors, type Meta } from "./gguf_writer.ts";

async function load(metadata: Record<string, Meta>, tensors: GgufTensor[]) {
  let loaded: Awaited<ReturnType<typeof loadModel>> | undefined;
  await inFolder(async (folder) => {
    const path = `${folder}/model.gguf`;
    Deno.writeFileSync(path, ggufFile(metadata, tensors));
    loaded = await loadModel(path);
  });
  return loaded!;
}

/** GGUF stores eps and theta as float32. */
function assertSamePolicy(actual: PolicyWeights, expected: PolicyWeights): void {
  const config = { ...expected.config };
  assertEquals(actual.config, {
    ...config,
    normEps: Math.fround(config.normEps),
    ropeTheta: Math.fround(config.ropeTheta),
    padTokenId: null,
  });
  assertEquals(actual.tensors, expected.tensors);
}

/**
 * The formats that GGUF does not tell apart are left out: exact GELU in GPT-2, tanh in GPT-NeoX.
 */
const FAMILIES = Object.entries(CONFIGS).filter(([name]) => !/exact|tanh/.test(name));

for (const [name, config] of FAMILIES) {
  Deno.test(`GGUF: ${name} as llama.cpp converts it is read back exactly`, async () => {
    const weights = randomWeights(config);
    assertSamePolicy((await load(ggufMetadata(config), ggufTensors(weights))).weights, weights);
  });
}

for (const name of ["gpt2-tiny", "llama-tiny", "qwen2-tiny", "gpt-neox-tiny"]) {
  sharedTest(`GGUF: golden ${name} survives the conversion`, ["golden", name], async (folder) => {
    const { weights } = await loadModel(folder);
    const { config } = weights;
    assertSamePolicy((await load(ggufMetadata(config), ggufTensors(weights))).weights, weights);
  });
}

Deno.test("GGUF: f16 and bf16 tensors", async () => {
  const weights = randomWeights(CONFIGS.qwen2);
  for (const type of [1, 30]) {
    const tensors = ggufTensors(weights).map((tensor) => {
      const values = new Float32Array(tensor.bytes.buffer);
      const half = type === 1 ? new Float16Array(values) : toBfloat16(values);
      return { ...tensor, type, bytes: new Uint8Array(half.buffer) };
    });
    const back = (await load(ggufMetadata(weights.config), tensors)).weights;
    const own = weights.tensors.get("embed.weight")!;
    back.tensors.get("embed.weight")!.forEach((value, i) =>
      assert(Math.abs(value - own[i]) <= Math.abs(own[i]) * 2 ** (type === 1 ? -11 : -8) + 1e-7)
    );
  }
});

Deno.test("GGUF: a copied head stays tied", async () => {
  const weights = randomWeights(CONFIGS.gpt2);
  const tensors = ggufTensors(weights);
  const embed = tensors.find(({ name }) => name === "token_embd.weight")!;
  const back = await load(ggufMetadata(CONFIGS.gpt2), [...tensors, {
    ...embed,
    name: "output.weight",
  }]);
  assertSamePolicy(back.weights, weights);
});

Deno.test("GGUF: what cannot be read exactly is refused in one line", async () => {
  const config = CONFIGS["llama with grouped queries and wide heads"];
  const metadata = ggufMetadata(config);
  const tensors = ggufTensors(randomWeights(config));
  const vector = { shape: [3], type: 0, bytes: new Uint8Array(12) };
  const spoil = (name: string, change: Partial<GgufTensor>) =>
    tensors.map((tensor) => tensor.name === name ? { ...tensor, ...change } : tensor);
  const nan = new Uint8Array(new Float32Array(12).fill(NaN).buffer);
  const cases: [Record<string, Meta>, GgufTensor[], string][] = [
    [{ ...metadata, "general.architecture": "falcon" }, tensors, "must be one of gpt2, llama"],
    [
      metadata,
      spoil("blk.0.ffn_up.weight", { type: 2 }),
      "is quantised (Q4_0); training needs float",
    ],
    [
      { ...metadata, "llama.block_count": 3 },
      tensors,
      'tensor "blk.2.attn_norm.weight" is missing',
    ],
    [{ ...metadata, "llama.block_count": 1e9 }, tensors, "says 1000000000 layers"],
    [
      { ...metadata, "llama.feed_forward_length": 4e9 },
      tensors,
      "the metadata asks for [4000000000,",
    ],
    [{ ...metadata, "llama.block_count": 1 }, tensors, "has no place in a llama policy"],
    [{ ...metadata, "llama.feed_forward_length": 8 }, tensors, "the metadata asks for [8,12]"],
    [{ ...metadata, "llama.rope.scaling.type": "yarn" }, tensors, 'rope.scaling.type "yarn"'],
    [{ ...metadata, "llama.expert_count": 8 }, tensors, "mixtures of experts"],
    [
      { ...metadata, "llama.attention.sliding_window": 4 },
      tensors,
      "a sliding attention window (4)",
    ],
    [metadata, [...tensors, { name: "rope_freqs.weight", ...vector }], "scaled rotary frequencies"],
    [metadata, tensors.slice(1), 'tensor "token_embd.weight" is missing'],
    [
      metadata,
      spoil("output_norm.weight", { bytes: nan }),
      'tensor "output_norm.weight": value 0 is NaN',
    ],
  ];
  const { "llama.context_length": _, ...noContext } = metadata;
  cases.push([noContext, tensors, "llama.context_length must be a number, found nothing"]);
  for (const [meta, list, message] of cases) {
    const error = await assertRejects(() => load(meta, list), InputError, message);
    assert(!error.message.includes("\n") && error.message.includes("model.gguf"), error.message);
  }
  await inFolder(async (folder) => {
    const path = `${folder}/cut.gguf`;
    const whole = ggufFile(metadata, tensors);
    Deno.writeFileSync(path, whole.subarray(0, whole.length - 100));
    await assertRejects(() => loadModel(path), InputError, "cut off");
    Deno.writeFileSync(path, whole.subarray(0, 300));
    await assertRejects(() => loadModel(path), InputError, "cut.gguf: ");
  });
});
