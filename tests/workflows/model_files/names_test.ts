import { InputError } from "../../../kernels/errors.ts";
import { parameterCount, parameterSpecs } from "../../../kernels/policy/config.ts";
import {
  configFromHuggingFace,
  configToHuggingFace,
} from "../../../workflows/model_files/hf_config.ts";
import { fromHuggingFace, toHuggingFace } from "../../../workflows/model_files/layouts.ts";
import { loraModules } from "../../../workflows/model_files/names.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../assert.ts";
import { CONFIGS, randomWeights } from "./fixtures.ts";

type Files = Map<string, { shape: readonly number[]; data: Float32Array }>;

function reader(files: Files) {
  return (name: string) => Promise.resolve(files.get(name) ?? null);
}

for (const [name, config] of Object.entries(CONFIGS)) {
  Deno.test(`names: ${name} survives internal -> Hugging Face -> internal`, async () => {
    const weights = randomWeights(config);
    const written = toHuggingFace(config, weights.tensors);
    const total = written.reduce((sum, { shape, data }) => {
      assertEquals(shape.reduce((a, b) => a * b, 1), data.length);
      return sum + data.length;
    }, 0);
    assertEquals(total, parameterCount(config), "every value is written exactly once");
    const files: Files = new Map(written.map((tensor) => [tensor.name, tensor]));
    const back = await fromHuggingFace(config, reader(files));
    assertEquals(back.tensors, weights.tensors);
  });

  Deno.test(`config: ${name} survives the round trip`, () => {
    assertEquals(configFromHuggingFace(configToHuggingFace(config)), config);
  });

  Deno.test(`LoRA modules: ${name}: their rows cover every linear weight once`, () => {
    const covered = new Map<string, Uint8Array>();
    for (const { name, shape } of parameterSpecs(config)) {
      covered.set(name, new Uint8Array(shape[0]));
    }
    for (const module of loraModules(config)) {
      const rows = covered.get(module.parameter)!;
      for (let i = 0; i < module.rowCount; i++) rows[module.rowStart + i]++;
      if (module.rowOrder) {
        const order = [...module.rowOrder].sort((a, b) => a - b);
        assertEquals(order, Array.from({ length: module.rowCount }, (_, i) => i));
      }
    }
    for (const [name, rows] of covered) {
      const linear = /(qkv|out|up|down)\.weight$/.test(name);
      assert(rows.every((count) => count === (linear ? 1 : 0)), name);
    }
  });
}

Deno.test("names: known positions in a GPT-NeoX and a GPT-2 file", () => {
  const neox = CONFIGS.gpt_neox;
  const qkv = randomWeights(neox).tensors;
  const file = new Map(toHuggingFace(neox, qkv).map((t) => [t.name, t.data]));
  const { headDim, width } = neox;
  const own = qkv.get("layers.1.attention.qkv.weight")!;
  const hf = file.get("gpt_neox.layers.1.attention.query_key_value.weight")!;
  // Head 2, part v, dimension 3: file row (2*3+2)*4+3, own row (2 groups of 3 heads + 2)*4+3.
  const [fileRow, ownRow] = [(2 * 3 + 2) * headDim + 3, (2 * 3 + 2) * headDim + 3];
  assertEquals(hf[fileRow * width + 5], own[ownRow * width + 5]);
  // Head 1, part q: file row (1*3+0)*4, own row 1*4.
  assertEquals(hf[3 * headDim * width], own[headDim * width]);

  const gpt2 = CONFIGS.gpt2;
  const tensors = randomWeights(gpt2).tensors;
  const conv = toHuggingFace(gpt2, tensors).find((t) => t.name.endsWith("h.0.mlp.c_fc.weight"))!;
  assertEquals(conv.shape, [gpt2.width, gpt2.mlpWidth]);
  const up = tensors.get("layers.0.mlp.up.weight")!;
  assertEquals(conv.data[3 * gpt2.mlpWidth + 7], up[7 * gpt2.width + 3]);
});

Deno.test("names: a GPT-2 file without the transformer. prefix is read", async () => {
  const weights = randomWeights(CONFIGS.gpt2);
  const files: Files = new Map(
    toHuggingFace(weights.config, weights.tensors).map((
      t,
    ) => [t.name.replace("transformer.", ""), t]),
  );
  assertEquals((await fromHuggingFace(weights.config, reader(files))).tensors, weights.tensors);
});

Deno.test("names: a tied head may be stored when it equals the embedding", async () => {
  const weights = randomWeights(CONFIGS.qwen2);
  const files: Files = new Map(
    toHuggingFace(weights.config, weights.tensors).map((t) => [t.name, t]),
  );
  assert(!files.has("lm_head.weight"));
  const embed = files.get("model.embed_tokens.weight")!;
  files.set("lm_head.weight", embed);
  await fromHuggingFace(weights.config, reader(files));
  files.set("lm_head.weight", { ...embed, data: embed.data.map((x, i) => i === 7 ? x + 1 : x) });
  const differs = () => fromHuggingFace(weights.config, reader(files));
  await assertRejects(differs, InputError, "differs from the embedding at value 7");
});

Deno.test("names: missing, misshapen and non-finite tensors are named", async () => {
  const weights = randomWeights(CONFIGS.qwen2);
  const all = () =>
    new Map(toHuggingFace(weights.config, weights.tensors).map((t) => [t.name, t])) as Files;
  const name = "model.layers.1.self_attn.k_proj.weight";
  const original = all().get(name)!;
  const cases: [(files: Files) => unknown, string][] = [
    [(files) => files.delete(name), `tensor "${name}" [4,12] is missing`],
    [(files) => files.set(name, { ...original, shape: [12, 4] }), "the file has [12,4]"],
    [
      (files) =>
        files.set(name, { ...original, data: original.data.map((x, i) => i ? x : Infinity) }),
      `tensor "${name}": value 0 is Infinity`,
    ],
  ];
  for (const [spoil, message] of cases) {
    const files = all();
    spoil(files);
    await assertRejects(() => fromHuggingFace(weights.config, reader(files)), InputError, message);
  }
});

const LLAMA = configToHuggingFace(CONFIGS["llama with grouped queries and wide heads"]);
const GPT2 = configToHuggingFace(CONFIGS.gpt2);
const QWEN = configToHuggingFace(CONFIGS.qwen2);

const REFUSED: [Record<string, unknown>, string][] = [
  [
    { ...LLAMA, model_type: "mamba" },
    'model_type must be one of gpt2, llama, qwen2, gpt_neox, found "mamba"',
  ],
  [{}, "model_type must be"],
  [{ ...LLAMA, rope_scaling: { rope_type: "llama3", factor: 8 } }, "rope_scaling must be null"],
  [{ ...LLAMA, rope_parameters: { rope_type: "yarn" } }, "rope_parameters must be null"],
  [{ ...LLAMA, hidden_act: "relu" }, 'hidden_act must be "silu", found "relu"'],
  [{ ...LLAMA, num_key_value_heads: 3 }, "kvHeads must be a divisor of heads (4)"],
  [{ ...LLAMA, head_dim: 5 }, "ropeDims must be an even number"],
  [{ ...LLAMA, head_dim: undefined, hidden_size: 13 }, "hidden_size must be a multiple of the 4"],
  [{ ...LLAMA, rms_norm_eps: 0 }, "normEps must be a positive number"],
  [
    { ...LLAMA, vocab_size: undefined },
    "vocab_size must be a positive whole number, found nothing",
  ],
  [{ ...LLAMA, vocab_size: "32000" }, 'vocab_size must be a positive whole number, found "32000"'],
  [{ ...LLAMA, attention_bias: "no" }, "attention_bias must be true or false"],
  [{ ...LLAMA, eos_token_id: "</s>" }, "eos_token_id must be a token id"],
  [{ ...LLAMA, partial_rotary_factor: 0.5 }, "partial_rotary_factor must be 1"],
  [{ ...QWEN, layer_types: ["full_attention", "sliding_attention"] }, "layer_types must be"],
  [
    { ...QWEN, use_sliding_window: true, sliding_window: 4, max_window_layers: 1 },
    "use_sliding_window must be false",
  ],
  [{ ...GPT2, activation_function: "relu" }, "activation_function must be"],
  [
    { ...GPT2, scale_attn_by_inverse_layer_idx: true },
    "scale_attn_by_inverse_layer_idx must be false",
  ],
  [{ ...GPT2, scale_attn_weights: false }, "scale_attn_weights must be true"],
  [{ ...GPT2, add_cross_attention: true }, "add_cross_attention must be false"],
];

for (const [json, message] of REFUSED) {
  Deno.test(`config refuses: ${message}`, () => {
    const error = assertThrows(() => configFromHuggingFace(json), InputError, message);
    assert(!error.message.includes("\n"));
    assert(error.message.startsWith("config.json: "), error.message);
  });
}

Deno.test("config: defaults and spellings of transformers", () => {
  const minimal = {
    model_type: "llama",
    vocab_size: 10,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    eos_token_id: [7, 8],
    rope_parameters: { rope_type: "default", rope_theta: 500000 },
  };
  const llama = configFromHuggingFace(minimal);
  assertEquals(llama.kvHeads, 2);
  assertEquals(llama.normEps, 1e-6);
  assertEquals(llama.ropeTheta, 500000);
  assertEquals(llama.tiedHead, false);
  assertEquals([llama.bosTokenId, llama.eosTokenId], [null, 7]);
  const harmless = { ...QWEN, use_sliding_window: true, sliding_window: 4, max_window_layers: 2 };
  assertEquals(configFromHuggingFace(harmless), CONFIGS.qwen2, "no layer is windowed");
  const gpt2 = { model_type: "gpt2", vocab_size: 9, n_embd: 8, n_layer: 1, n_head: 2, n_ctx: 5 };
  const old = configFromHuggingFace(gpt2);
  assertEquals([old.context, old.mlpWidth, old.tiedHead, old.activation], [
    5,
    32,
    true,
    "gelu_tanh",
  ]);
});

Deno.test("config: what a family's file cannot say is refused, not lost", () => {
  const odd = { ...CONFIGS["llama with all biases"], outBias: false };
  assertThrows(() => configToHuggingFace(odd), InputError, "cannot say outBias = false");
  const neox = { ...CONFIGS.gpt_neox, mlpBias: false };
  assertThrows(() => configToHuggingFace(neox), InputError, "cannot say mlpBias = false");
});

Deno.test("config: every rotary width survives the fraction it is stored as", () => {
  for (let headDim = 2; headDim <= 128; headDim++) {
    for (let ropeDims = 2; ropeDims <= headDim; ropeDims += 2) {
      const config = { ...CONFIGS.gpt_neox, headDim, ropeDims, width: 3 * headDim };
      assertEquals(configFromHuggingFace(configToHuggingFace(config)).ropeDims, ropeDims);
    }
  }
});
