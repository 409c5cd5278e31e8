import { InputError } from "../../../kernels/errors.ts";
import { toHuggingFace } from "../../../workflows/model_files/layouts.ts";
import { readModelFolder } from "../../../workflows/model_files/hf_folder.ts";
import {
  type LoraAdapter,
  loraScale,
  mergeLora,
  selectModules,
} from "../../../workflows/model_files/lora.ts";
import { readAdapter, writeAdapter } from "../../../workflows/model_files/peft.ts";
import { readSafetensors } from "../../../workflows/model_files/safetensors.ts";
import { writeSafetensors } from "../../../workflows/model_files/safetensors_write.ts";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../assert.ts";
import { sharedTest } from "../../shared.ts";
import { CONFIGS, inFolder, numbers, randomWeights } from "./fixtures.ts";

function randomAdapter(
  config: (typeof CONFIGS)[string],
  names: "all-linear" | string[],
): LoraAdapter {
  const next = numbers(9);
  const r = 3;
  const values = (length: number) => Float32Array.from({ length }, next);
  const targets = selectModules(config, names).map((module) => ({
    module,
    A: values(r * module.inFeatures),
    B: values(module.rowCount * r),
  }));
  return { r, alpha: 6, dropout: 0.1, rankStabilised: false, targets };
}

for (const name of ["lora-llama", "lora-gpt2"]) {
  sharedTest(`LoRA: ${name} merged equals PyTorch`, ["golden", name], async (folder) => {
    const { weights } = await readModelFolder(folder);
    const adapter = await readAdapter(folder, weights.config, "adapter.safetensors");
    assertEquals([adapter.r, adapter.alpha, loraScale(adapter)], [4, 8, 2]);
    const merged = mergeLora(weights, adapter);
    const expected = await readSafetensors(`${folder}/expected.safetensors`);
    let compared = 0;
    for (const { name, data } of toHuggingFace(merged.config, merged.tensors)) {
      const reference = expected.get(`merged.${name}`)?.data as Float32Array | undefined;
      if (!reference) continue;
      compared++;
      assertEquals(data.length, reference.length);
      data.forEach((value, i) => assertAlmostEquals(value, reference[i], 1e-6, name));
    }
    assertEquals(compared, adapter.targets.length);
  });
}

for (const [name, config] of Object.entries(CONFIGS)) {
  Deno.test(`LoRA: ${name}: merging equals W + s B A on the file's own matrices`, () => {
    const weights = randomWeights(config);
    const adapter = randomAdapter(config, "all-linear");
    const merged = mergeLora(weights, adapter);
    const before = new Map(toHuggingFace(config, weights.tensors).map((t) => [t.name, t]));
    const after = new Map(toHuggingFace(config, merged.tensors).map((t) => [t.name, t]));
    for (const { module, A, B } of adapter.targets) {
      const key = `${module.hfModule}.weight`;
      const [w, w2] = [before.get(key)!, after.get(key)!];
      const [out, inner] = [module.rowCount, module.inFeatures];
      for (let o = 0; o < out; o++) {
        for (let i = 0; i < inner; i++) {
          let delta = 0;
          for (let k = 0; k < 3; k++) delta += B[o * 3 + k] * A[k * inner + i];
          const at = module.fanInFanOut ? i * out + o : o * inner + i;
          assertAlmostEquals(w2.data[at], w.data[at] + 2 * delta, 1e-6, key);
        }
      }
    }
    const untouched = [...before.keys()].filter((key) => /norm|ln_|embed|wte|bias/.test(key));
    for (const key of untouched) assertEquals(after.get(key)!.data, before.get(key)!.data);
    assertEquals(weights.tensors, randomWeights(config).tensors, "the base is not changed");
  });

  Deno.test(`PEFT: ${name}: an adapter survives the round trip`, async () => {
    await inFolder(async (folder) => {
      const adapter = { ...randomAdapter(config, "all-linear"), rankStabilised: true };
      await writeAdapter(folder, adapter, config, { baseModel: "base" });
      assertEquals(await readAdapter(folder, config), adapter);
      const json = JSON.parse(Deno.readTextFileSync(`${folder}/adapter_config.json`));
      assertEquals(selectModules(config, json.target_modules).length, adapter.targets.length);
      assertEquals(json.fan_in_fan_out, config.family === "gpt2");
    });
  });
}

Deno.test("PEFT: target_modules names exactly the adapted modules", async () => {
  await inFolder(async (folder) => {
    const config = CONFIGS.gpt2;
    // c_proj alone would also select the MLP's.
    const adapter = randomAdapter(config, ["attn.c_proj"]);
    await writeAdapter(folder, adapter, config);
    const json = JSON.parse(Deno.readTextFileSync(`${folder}/adapter_config.json`));
    assertEquals(json.target_modules, [
      "transformer.h.0.attn.c_proj",
      "transformer.h.1.attn.c_proj",
    ]);
    const whole = randomAdapter(config, ["c_attn"]);
    await writeAdapter(folder, whole, config);
    const short = JSON.parse(Deno.readTextFileSync(`${folder}/adapter_config.json`));
    assertEquals(short.target_modules, ["c_attn"]);
  });
});

Deno.test("LoRA: the scale is alpha / r, or alpha / sqrt(r)", () => {
  assertEquals(loraScale({ r: 16, alpha: 32, rankStabilised: false }), 2);
  assertEquals(loraScale({ r: 16, alpha: 32, rankStabilised: true }), 8);
});

Deno.test("LoRA: a target that is no module is named with what there is", () => {
  const select = () => selectModules(CONFIGS.qwen2, ["q_proj", "c_attn"]);
  const error = assertThrows(select, InputError, 'called "c_attn"');
  assert(error.message.includes("q_proj, k_proj, v_proj, o_proj"));
});

Deno.test("PEFT: adapters that are more than LoRA, or do not fit, are refused by name", async () => {
  const config = CONFIGS.qwen2;
  const base = { peft_type: "LORA", r: 3, lora_alpha: 6 };
  const cases: [Record<string, unknown>, string][] = [
    [{ ...base, peft_type: "IA3" }, 'peft_type is "IA3"'],
    [{ ...base, use_dora: true }, "use_dora is true"],
    [{ ...base, bias: "all" }, 'bias is "all"'],
    [{ ...base, rank_pattern: { q_proj: 4 } }, 'rank_pattern is {"q_proj":4}'],
    [{ ...base, modules_to_save: ["lm_head"] }, 'modules_to_save is ["lm_head"]'],
    [{ ...base, r: 0 }, "r must be a positive whole number, found 0"],
    [{ ...base, r: 4 }, "expected [4,12], found [3,12]"],
    [{ ...base, lora_dropout: 2 }, "lora_dropout must be"],
  ];
  await inFolder(async (folder) => {
    await writeAdapter(folder, randomAdapter(config, ["q_proj"]), config);
    for (const [json, message] of cases) {
      Deno.writeTextFileSync(`${folder}/adapter_config.json`, JSON.stringify(json));
      const error = await assertRejects(() => readAdapter(folder, config), InputError, message);
      assert(!error.message.includes("\n"));
    }
    Deno.writeTextFileSync(`${folder}/adapter_config.json`, JSON.stringify(base));
    await assertRejects(() => readAdapter(folder, CONFIGS.gpt2), InputError, "is no linear layer");
    const path = `${folder}/adapter_model.safetensors`;
    const A = { shape: [3, 12], data: new Float32Array(36) };
    const module = "base_model.model.model.layers.0.self_attn.q_proj";
    await writeSafetensors(path, [{ name: `${module}.lora_A.weight`, ...A }]);
    await assertRejects(() => readAdapter(folder, config), InputError, "lacks its lora_B factor");
    await writeSafetensors(path, [{ name: `${module}.lora_embedding_A`, ...A }]);
    await assertRejects(() => readAdapter(folder, config), InputError, "is no LoRA factor");
  });
});
