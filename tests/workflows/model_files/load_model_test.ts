import { InputError } from "../../../kernels/errors.ts";
import { configToHuggingFace } from "../../../workflows/model_files/hf_config.ts";
import { lazyHuggingFace, toHuggingFace } from "../../../workflows/model_files/layouts.ts";
import { loadModel } from "../../../workflows/model_files/load_model.ts";
import { loadTokenizer } from "../../../workflows/model_files/load_tokenizer.ts";
import {
  type TensorToWrite,
  writeSafetensors,
} from "../../../workflows/model_files/safetensors_write.ts";
import { saveModel } from "../../../workflows/model_files/save_model.ts";
import { forward, toPolicy } from "../../reference/transformer.ts";
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "../../assert.ts";
import { sharedTest } from "../../shared.ts";
import { CANNOT_MOUNT, mountDisk } from "../../small_disk.ts";
import { CONFIGS, inFolder, randomWeights } from "./fixtures.ts";

const QWEN = CONFIGS.qwen2;

function files(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
}

for (const [name, config] of Object.entries(CONFIGS)) {
  Deno.test(`folder: ${name} is saved and loaded unchanged`, async () => {
    await inFolder(async (folder) => {
      const weights = randomWeights(config);
      await saveModel(`${folder}/model`, weights);
      const back = await loadModel(`${folder}/model/`);
      assertEquals(back.weights, weights);
      assertEquals(back.eosTokenIds, [2]);
      assertEquals(back.tokenizer, null);
      assertEquals(files(folder), ["model"], "no temporary folder is left");
      const single = await loadModel(`${folder}/model/model.safetensors`);
      assertEquals(single.weights, weights);
    });
  });
}

Deno.test("folder: half precision, shards, extra heads and generation settings", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/deep/er/model`;
    const weights = randomWeights(QWEN);
    const heads = new Map([["score.weight", {
      shape: [1, 12],
      data: new Float32Array(12).fill(2),
    }]]);
    await saveModel(path, weights, {
      dtype: "bf16",
      shardBytes: 1000,
      heads,
      generation: { eos_token_id: [2, 5], temperature: 0.7 },
    });
    assert(files(path).filter((name) => name.startsWith("model-")).length > 1);
    assertEquals(JSON.parse(Deno.readTextFileSync(`${path}/config.json`)).torch_dtype, "bfloat16");
    const back = await loadModel(path);
    assertEquals(back.heads, heads);
    assertEquals(back.eosTokenIds, [2, 5]);
    assertEquals(back.generation.temperature, 0.7);
    for (const [name, values] of weights.tensors) {
      const stored = back.weights.tensors.get(name)!;
      values.forEach((value, i) => assertAlmostEquals(stored[i], value, 2 ** -9 * 0.5 + 1e-12));
    }
    // Saving again as one file removes the shards and keeps what is not ours.
    Deno.writeTextFileSync(`${path}/notes.txt`, "mine");
    await saveModel(path, weights);
    const kept = ["config.json", "generation_config.json", "model.safetensors", "notes.txt"];
    assertEquals(files(path), kept);
    assertEquals((await loadModel(path)).weights, weights);
  });
});

Deno.test("folder: a failed save leaves nothing behind", async () => {
  await inFolder(async (folder) => {
    const weights = randomWeights(QWEN);
    weights.tensors.get("final_norm.weight")![3] = 1e6;
    const save = () => saveModel(`${folder}/model`, weights, { dtype: "f16" });
    await assertRejects(save, InputError, 'tensor "model.norm.weight": 1000000 at index 3');
    assertEquals(files(folder), []);
    const odd = randomWeights({ ...CONFIGS["llama with all biases"], outBias: false });
    await assertRejects(() => saveModel(`${folder}/model`, odd), InputError, "cannot say outBias");
    assertEquals(files(folder), []);
  });
});

const disk = await mountDisk(64);
await disk?.release();
Deno.test({
  name: `folder: a full disk leaves nothing half-written${disk ? "" : CANNOT_MOUNT}`,
  ignore: !disk,
  fn: async () => {
    const disk = (await mountDisk(64))!;
    try {
      const small = randomWeights(QWEN);
      await saveModel(`${disk.folder}/small`, small);
      const large = randomWeights({ ...QWEN, vocabSize: 2000 });
      for (const name of ["large", "small"]) {
        const save = () => saveModel(`${disk.folder}/${name}`, large);
        await assertRejects(save, InputError, "the disk is full");
      }
      assertEquals(files(disk.folder), ["small"]);
      assertEquals((await loadModel(`${disk.folder}/small`)).weights, small);
    } finally {
      await disk.release();
    }
  },
});

Deno.test("folder: a reward model without an output head is tied to its embedding", async () => {
  await inFolder(async (folder) => {
    const config = CONFIGS["llama with all biases"];
    const weights = randomWeights(config);
    const tensors: TensorToWrite[] = lazyHuggingFace(config, weights.tensors)
      .filter(({ name }) => name !== "lm_head.weight");
    const score = { name: "score.weight", shape: [1, 12], data: new Float32Array(12) };
    const json = JSON.stringify(configToHuggingFace(config));
    Deno.writeTextFileSync(`${folder}/config.json`, json);
    await writeSafetensors(`${folder}/model.safetensors`, [...tensors, score]);
    const back = await loadModel(folder);
    assertEquals(back.weights.config, { ...config, tiedHead: true });
    assertEquals([...back.heads.keys()], ["score.weight"]);
    await writeSafetensors(`${folder}/model.safetensors`, tensors);
    await assertRejects(() => loadModel(folder), InputError, 'tensor "lm_head.weight"');
  });
});

for (
  const [name, heads] of [
    ["reward-model", ["score.weight"]],
    ["ppo", ["v_head.weight", "v_head.bias"]],
  ] as const
) {
  sharedTest(`folder: golden ${name} keeps its extra head`, ["golden", name], async (path) => {
    const { weights, heads: found } = await loadModel(path);
    assertEquals([...found.keys()], [...heads]);
    assertEquals(found.get(heads[0])!.data.length, weights.config.width);
    assertEquals(weights.config.tiedHead, name === "reward-model");
  });
}

type Spoil = (tensors: TensorToWrite[], folder: string) => TensorToWrite[] | Promise<void> | void;

const BAD_FOLDERS: [string, Spoil, string][] = [
  [
    "no config",
    (_, folder) => Deno.removeSync(`${folder}/config.json`),
    "config.json does not exist",
  ],
  [
    "an adapter instead of a model",
    (_, folder) => Deno.renameSync(`${folder}/config.json`, `${folder}/adapter_config.json`),
    "is an adapter; name its base model",
  ],
  [
    "a config that is no JSON",
    (_, folder) => Deno.writeTextFileSync(`${folder}/config.json`, "{"),
    "config.json: not valid JSON",
  ],
  [
    "a billion layers",
    (_, folder) => editConfig(folder, { num_hidden_layers: 1e9, max_window_layers: 1e9 }),
    "config.json: says 1000000000 layers, the weights have only",
  ],
  [
    "a vocabulary beyond all memory",
    (_, folder) => editConfig(folder, { vocab_size: 1e14 }),
    'tensor "model.embed_tokens.weight": config.json asks for the shape [100000000000000,12]',
  ],
  ["no weights", (_, folder) => Deno.removeSync(`${folder}/model.safetensors`), "has neither"],
  [
    "a pickle only",
    (_, folder) => Deno.renameSync(`${folder}/model.safetensors`, `${folder}/pytorch_model.bin`),
    "has only pytorch_model.bin",
  ],
  ["a missing tensor", (all) => all.slice(0, -1), 'tensor "model.norm.weight" [12] is missing'],
  [
    "an unexpected tensor",
    (
      all,
    ) => [...all, {
      name: "model.layers.2.mlp.up_proj.weight",
      shape: [1],
      data: new Float32Array(1),
    }],
    'tensor "model.layers.2.mlp.up_proj.weight" has no place in the qwen2 of config.json (2 layers)',
  ],
  [
    "a tensor of another shape",
    (all) => all.map((t) => t.name === "model.norm.weight" ? { ...t, shape: [4, 3] } : t),
    'tensor "model.norm.weight": config.json asks for the shape [12], the file has [4,3]',
  ],
  [
    "NaN",
    (all) =>
      all.map((t) =>
        t.name === "model.norm.weight" ? { ...t, data: new Float32Array(12).fill(NaN) } : t
      ),
    'tensor "model.norm.weight": value 0 is NaN',
  ],
  [
    "whole numbers for weights",
    (all) =>
      all.map((t) => t.name === "model.norm.weight" ? { ...t, data: new Int32Array(12) } : t),
    'tensor "model.norm.weight": expected float values (F32, F16, BF16 or F64), found I32',
  ],
  [
    "a broken index",
    (_, folder) => {
      Deno.removeSync(`${folder}/model.safetensors`);
      Deno.writeTextFileSync(
        `${folder}/model.safetensors.index.json`,
        '{"weight_map":{"x":"../y"}}',
      );
    },
    '"x" must name a file of the same folder',
  ],
  [
    "a broken tokenizer",
    (_, folder) => Deno.writeTextFileSync(`${folder}/tokenizer.json`, '{"model":{"type":"Magic"}}'),
    "tokenizer.json: not a tokenizer that can be used",
  ],
];

function editConfig(folder: string, changes: Record<string, unknown>): void {
  const path = `${folder}/config.json`;
  const config = JSON.parse(Deno.readTextFileSync(path));
  Deno.writeTextFileSync(path, JSON.stringify({ ...config, ...changes }));
}

for (const [what, spoil, message] of BAD_FOLDERS) {
  Deno.test(`folder with ${what} is refused in one line`, async () => {
    await inFolder(async (folder) => {
      const weights = randomWeights(QWEN);
      await saveModel(folder, weights);
      const changed = await spoil(toHuggingFace(QWEN, weights.tensors), folder);
      if (changed) await writeSafetensors(`${folder}/model.safetensors`, changed);
      const error = await assertRejects(() => loadModel(folder), InputError, message);
      assert(!error.message.includes("\n"));
      assert(error.message.startsWith(folder), error.message);
    });
  });
}

Deno.test("folder: special ids come from config.json where the tokenizer names none", async () => {
  await inFolder(async (folder) => {
    await saveModel(folder, randomWeights(QWEN));
    const vocab = { "<s>": 1, "</s>": 2, "a": 0 };
    const json = { added_tokens: [], model: { type: "BPE", vocab, merges: [] } };
    Deno.writeTextFileSync(`${folder}/tokenizer.json`, JSON.stringify(json));
    const { tokenizer } = await loadModel(folder);
    assertEquals([tokenizer!.bosId, tokenizer!.eosId, tokenizer!.padId], [1, 2, null]);
    Deno.writeTextFileSync(`${folder}/special_tokens_map.json`, '{"eos_token":{"content":"<s>"}}');
    assertEquals((await loadModel(folder)).tokenizer!.eosId, 1);
  });
});

Deno.test("folder: only a SentencePiece protobuf: the tokenizer is named, with the way out", async () => {
  await inFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/tokenizer.model`, "");
    await assertRejects(() => loadTokenizer(folder), InputError, "has only tokenizer.model");
  });
});

Deno.test("folder: buffers of old checkpoints are passed over", async () => {
  await inFolder(async (folder) => {
    const weights = randomWeights(CONFIGS.gpt2);
    await saveModel(folder, weights);
    const buffer = { shape: [1], data: new Float32Array(1) };
    const tensors: TensorToWrite[] = [
      // As openai-community/gpt2 has it: no prefix, causal masks stored.
      ...toHuggingFace(CONFIGS.gpt2, weights.tensors)
        .map((t) => ({ ...t, name: t.name.replace("transformer.", "") })),
      { name: "h.0.attn.bias", ...buffer },
      { name: "h.1.attn.masked_bias", ...buffer },
    ];
    await writeSafetensors(`${folder}/model.safetensors`, tensors);
    assertEquals((await loadModel(folder)).weights, weights);
  });
});

Deno.test("loadModel: what is no model is refused in one line", async () => {
  await inFolder(async (folder) => {
    const cases: [string, Uint8Array | null, string][] = [
      ["nothing", null, "no such model file or folder"],
      ["model.pt", new Uint8Array(4), "a model is a Hugging Face folder, or a .safetensors"],
      ["a.gguf", new Uint8Array(40), "not a GGUF file"],
      [
        "b.gguf",
        new TextEncoder().encode("GGUF\u0009\0\0\0\u0001\0\0"),
        "the GGUF header cannot be read",
      ],
      ["a.bin", new Uint8Array(10), "not a llama2.c version 0 file (only 10 bytes)"],
      ["b.bin", new Uint8Array(64).fill(255), "the header reads -1"],
      ["c.bin", llama2cHeader([8, 8, 1, 2, 2, 16, 4], 50), "this one 78; cut off"],
      ["d.bin", llama2cHeader([8, 8, 1 << 24, 2, 2, 16, 4], 50), "this one 78; cut off"],
    ];
    for (const [name, bytes, message] of cases) {
      if (bytes) Deno.writeFileSync(`${folder}/${name}`, bytes);
      const error = await assertRejects(() => loadModel(`${folder}/${name}`), InputError, message);
      assert(!error.message.includes("\n") && error.message.includes(name), error.message);
    }
  });
});

function llama2cHeader(sizes: number[], dataBytes: number): Uint8Array {
  const bytes = new Uint8Array(28 + dataBytes);
  bytes.set(new Uint8Array(Int32Array.from(sizes).buffer));
  return bytes;
}

const STORIES = ["data", "models", "stories260K"];

/** Logits of the last position by the float64 reference. */
function lastLogits(model: Awaited<ReturnType<typeof loadModel>>, ids: number[]): Float64Array {
  const { vocabSize } = model.weights.config;
  const tokens = {
    rows: 1,
    length: ids.length,
    ids,
    positions: ids.map((_, i) => i),
    starts: ids.map(() => 0),
  };
  return forward(toPolicy(model.weights), tokens).logits.subarray(-vocabSize);
}

sharedTest("llama2.c: stories260K gives the published logits", STORIES, async (folder) => {
  const model = await loadModel(`${folder}/stories260K.bin`, { tokenizer: `${folder}/tok512.bin` });
  const golden = JSON.parse(Deno.readTextFileSync(`${folder}/golden.json`));
  for (const { ids, last_logits } of golden.prompts) {
    const logits = lastLogits(model, ids);
    last_logits.forEach((value: number, i: number) => assertAlmostEquals(logits[i], value, 2e-6));
  }
});

sharedTest(
  "llama2.c: saved as a folder, it is the same model and tokenizer",
  STORIES,
  async (path) => {
    await inFolder(async (folder) => {
      const tokenizer = `${path}/tok512.bin`;
      const model = await loadModel(`${path}/stories260K.bin`, { tokenizer });
      await saveModel(`${folder}/m`, model.weights, { tokenizer: model.tokenizer });
      const back = await loadModel(`${folder}/m`);
      assertEquals(back.weights, model.weights);
      assertEquals(back.tokenizer!.kind, "tokenizer.json");
      assertEquals(back.tokenizer!.bosId, 1);
      const text = 'The little dog said, "Hello!"';
      assertEquals(back.tokenizer!.encode(text), model.tokenizer!.encode(text));
      assertEquals(Deno.readFileSync(`${folder}/m/tokenizer.bin`), Deno.readFileSync(tokenizer));
      const bare = await loadTokenizer(`${folder}/m/tokenizer.bin`);
      assertEquals(bare.encode(text), model.tokenizer!.encode(text));
      const without = await loadModel(`${path}/stories260K.bin`);
      assertEquals(without.tokenizer, null);
    });
  },
);

Deno.test("llama2.c: an untied head is read after the tables", async () => {
  await inFolder(async (folder) => {
    const sizes = [4, 6, 1, 2, 1, -5, 3];
    const [dim, hidden, , , , , context] = sizes;
    const counts = [
      5 * dim,
      dim,
      dim * dim,
      2 * dim,
      2 * dim,
      dim * dim,
      dim,
      hidden * dim,
      hidden * dim,
    ];
    const total = [...counts, hidden * dim, dim, context * 2, 5 * dim].reduce((a, b) => a + b);
    const values = Float32Array.from({ length: total }, (_, i) => i);
    const file = llama2cHeader(sizes, 4 * total);
    file.set(new Uint8Array(values.buffer), 28);
    Deno.writeFileSync(`${folder}/m.bin`, file);
    const { weights } = await loadModel(`${folder}/m.bin`);
    assertEquals(weights.config.tiedHead, false);
    assertEquals(weights.tensors.get("head.weight")!, values.subarray(-5 * dim));
    // wq starts at 24; head dimension 2 has nothing to permute, so row 1 follows row 0.
    assertEquals([...weights.tensors.get("layers.0.attention.qkv.weight")!.subarray(0, 5)], [
      24,
      25,
      26,
      27,
      28,
    ]);
    assertEquals(weights.tensors.get("final_norm.weight")![0], total - 5 * dim - 2 * context - dim);
  });
});

sharedTest("tokenizer and model that do not belong together are refused", STORIES, async (path) => {
  await inFolder(async (folder) => {
    await saveModel(folder, randomWeights(QWEN));
    const load = () => loadModel(folder, { tokenizer: `${path}/tok512.bin` });
    await assertRejects(load, InputError, "the tokenizer has 512 tokens, the model only 23");
  });
});
