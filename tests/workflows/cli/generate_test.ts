/**
 * The command generate: replies and logits against golden cases and a real model, and what it says
 * to bad input.
 */
import { join } from "node:path";
import type { PolicyConfig } from "../../../kernels/policy/config.ts";
import { initialWeights } from "../../../kernels/policy/init.ts";
import { generateCommand } from "../../../workflows/cli/generate.ts";
import { readModelFolder } from "../../../workflows/model_files/hf_folder.ts";
import { readSafetensors } from "../../../workflows/model_files/safetensors.ts";
import { saveModel } from "../../../workflows/model_files/save_model.ts";
import { nurseryTokenizer } from "../../../workflows/train/policy_source.ts";
import { relativeError } from "../../../workflows/verify/result.ts";
import { assert, assertEquals } from "../../assert.ts";
import { sharedTest } from "../../shared.ts";
import { type Ended, runJson } from "./run.ts";

const golden = (...parts: string[]): string =>
  join(new URL("../../golden", import.meta.url).pathname, ...parts);
const readJson = async (path: string) => JSON.parse(await Deno.readTextFile(path));
const generate = (...args: string[]): Promise<Ended> => runJson(generateCommand(), ...args);

/** Generates, and returns the JSON object. */
async function reply(...args: string[]): Promise<Ended["json"]> {
  const { code, json, stderr } = await generate(...args);
  assertEquals(code, 0, stderr);
  return json;
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function logitsOf(path: string): Promise<{ shape: readonly number[]; data: Float32Array }> {
  const { shape, data } = (await readSafetensors(path)).get("logits")!;
  return { shape, data: data as Float32Array };
}

for (const name of ["gpt2-tiny", "llama-tiny", "qwen2-tiny", "gpt-neox-tiny"]) {
  Deno.test(`generate: ${name} gives the golden reply and logits`, () =>
    inFolder(async (folder) => {
      const { input_ids, generation } = await readJson(golden(name, "inputs.json"));
      const { generated_ids } = await readJson(golden(name, "expected.json"));
      const { eos_token_id } = await readJson(golden(name, "config.json"));
      const { prompt_ids, max_new_tokens } = generation;
      const settings = ["--greedy", "--max-new-tokens", `${max_new_tokens}`];
      const { ids, text } = await reply(
        ...["--model", golden(name), "--tokens", prompt_ids.join(",")],
        ...settings,
      );
      // Golden replies go on after the end of text, the command stops there.
      const end = generated_ids.indexOf(eos_token_id);
      assertEquals(ids, end < 0 ? generated_ids : generated_ids.slice(0, end + 1));
      assertEquals(text, null);

      const file = join(folder, "logits.safetensors");
      const nothing = await reply(
        ...["--model", golden(name), "--tokens", input_ids[0].join(",")],
        ...["--max-new-tokens", "0", "--logits", file],
      );
      assertEquals(nothing, { prompt_ids: input_ids[0], ids: [], text: null });
      const { shape, data } = await logitsOf(file);
      const expected = (await readSafetensors(golden(name, "expected.safetensors"))).get("logits")!;
      assertEquals(shape, expected.shape.slice(1));
      const first = (expected.data as Float32Array).subarray(0, data.length);
      assert(relativeError(data, first) < 1e-5);
    }));
}

Deno.test("generate: an adapter in the model's folder is merged", () =>
  inFolder(async (folder) => {
    const copies = [
      ["config.json", "config.json"],
      ["model.safetensors", "model.safetensors"],
      ["adapter_config.json", "adapter_config.json"],
      ["adapter.safetensors", "adapter_model.safetensors"],
    ];
    for (const [from, to] of copies) {
      await Deno.copyFile(golden("lora-llama", from), join(folder, to));
    }
    const { input_ids } = await readJson(golden("lora-llama", "inputs.json"));
    const file = join(folder, "out.safetensors");
    const { stderr } = await generate(
      ...["--model", folder, "--tokens", input_ids[0].join(",")],
      ...["--max-new-tokens", "0", "--logits", file],
    );
    assert(stderr.includes("adapter of rank 4"), stderr);
    const { data } = await logitsOf(file);
    const tensors = await readSafetensors(golden("lora-llama", "expected.safetensors"));
    const row = (name: string) =>
      (tensors.get(name)!.data as Float32Array).subarray(0, data.length);
    assert(relativeError(data, row("logits")) < 1e-5);
    assert(relativeError(data, row("base_logits")) > 1e-2);
  }));

/** A fresh nursery policy with its tokenizer. */
async function saveNurseryModel(folder: string): Promise<PolicyConfig> {
  const tokenizer = await nurseryTokenizer();
  const { weights: { config: tiny } } = await readModelFolder(golden("llama-tiny"));
  const { vocabSize, bosId, eosId } = tokenizer;
  const config = { ...tiny, context: 12, vocabSize, bosTokenId: bosId, eosTokenId: eosId };
  await saveModel(folder, initialWeights(config, 7, 0.5), { tokenizer });
  return config;
}

Deno.test("generate: chat, seeds, settings, and the context as the longest reply", () =>
  inFolder(async (folder) => {
    const model = join(folder, "model");
    const { context, bosTokenId } = await saveNurseryModel(model);
    const tokenizer = await nurseryTokenizer();
    const ask = (...args: string[]) => reply("--model", model, "--prompt", "hello .", ...args);

    const plain = await ask("--max-new-tokens", "3", "--seed", "5");
    assertEquals(plain.prompt_ids, tokenizer.encode("hello ."));
    assertEquals(await ask("--max-new-tokens", "3", "--seed", "5"), plain);
    const others = await Promise.all(
      ["6", "7", "8"].map((seed) => ask("--max-new-tokens", "3", "--seed", seed)),
    );
    assert(others.some(({ ids }) => ids.join() !== plain.ids.join()), "a seed changes the draw");

    const chat = await ask("--chat", "--max-new-tokens", "1");
    assertEquals(chat.prompt_ids[0], bosTokenId);
    assertEquals(
      chat.prompt_ids,
      tokenizer.encode("<bos> <user> hello . <assistant>", { addSpecialTokens: false }),
    );

    const greedy = await ask("--greedy", "--max-new-tokens", "4");
    assertEquals(await ask("--temperature", "0", "--max-new-tokens", "4"), greedy);
    assertEquals(await ask("--top-k", "1", "--max-new-tokens", "4"), greedy);

    const long = await generate("--model", model, "--tokens", "5,6,7", "--greedy");
    assert(long.json.ids.length <= context - 3);
    const stopped = long.json.ids.includes(tokenizer.eosId);
    assertEquals(long.stderr.includes(`context of ${context} tokens`), !stopped, long.stderr);
  }));

Deno.test("generate: bad input is exit code 2 and one line that says what to change", () =>
  inFolder(async (folder) => {
    const model = join(folder, "model");
    await saveNurseryModel(model);
    const broken = join(folder, "broken");
    await Deno.mkdir(broken);
    await Deno.copyFile(golden("llama-tiny", "config.json"), join(broken, "config.json"));
    const bytes = await Deno.readFile(golden("llama-tiny", "model.safetensors"));
    bytes.set([0, 0, 192, 127], bytes.length - 4); // NaN
    await Deno.writeFile(join(broken, "model.safetensors"), bytes);
    await Deno.writeTextFile(join(folder, "weights.txt"), "");
    const bare = golden("llama-tiny");
    const cases: readonly (readonly [says: string, ...args: string[]])[] = [
      ["--model is missing"],
      ["no such model", "--model", join(folder, "none")],
      ["weights.txt", "--model", join(folder, "weights.txt")],
      ["name one with --tokenizer", "--model", bare, "--prompt", "hello"],
      ["no tokenizer", "--model", bare, "--prompt", "hello", "--tokenizer", folder],
      ["exclude each other", "--model", model, "--prompt", "hello", "--tokens", "1"],
      ["exclude each other", "--model", model, "--tokens", "1", "--chat"],
      ["exclude each other", "--model", model, "--tokens", "1", "--greedy", "--top-k", "3"],
      ["entry 2 must be a token id from 0 to", "--model", bare, "--tokens", "1,99999"],
      ['found "x"', "--model", bare, "--tokens", "x"],
      ['found "-1"', "--model", bare, "--tokens=-1"],
      ['found ""', "--model", bare, "--tokens", "1,"],
      ["the prompt has no tokens", "--model", model, "--prompt", ""],
      ["the prompt has no tokens", "--model", model],
      ["the model's context is 12", "--model", model, "--prompt", "hello ".repeat(13)],
      ["fills the model's context", "--model", model, "--prompt", "hello ".repeat(12)],
      ["NaN", "--model", broken, "--tokens", "1"],
      ["top-p must be in (0, 1]", "--model", model, "--tokens", "1", "--top-p", "2"],
      ["repetition penalty", "--model", model, "--tokens", "1", "--repetition-penalty", "0"],
      ["seed must be", "--model", model, "--tokens", "1", "--seed", "4294967296"],
      ["--temperature must be a number", "--model", model, "--tokens", "1", "--temperature", "-1"],
      ["does not exist", "--model", model, "--tokens", "1", "--logits", join(folder, "no", "x")],
      ['adapter matches "none"', "--model", model, "--tokens", "1", "--adapter", "none"],
    ];
    for (const [says, ...args] of cases) {
      const { code, json, stderr } = await generate(...args);
      assertEquals(code, 2, `${args}: ${stderr}`);
      assert(stderr.includes(says), `${args}: ${stderr}`);
      assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
      assertEquals(Object.keys(json), ["error"]);
    }
  }));

sharedTest(
  "generate: stories260K writes the published stories, token by token",
  ["data", "models", "stories260K"],
  async (folder) => {
    const { prompts, upstream_greedy_200: upstream } = await readJson(join(folder, "golden.json"));
    const files = ["stories260K.bin", "tok512.bin"].map((name) => join(folder, name));
    const model = ["--model", files[0], "--tokenizer", files[1], "--greedy"];
    const story = await reply(...model, "--prompt", "", "--max-new-tokens", "200");
    assertEquals([...story.prompt_ids, ...story.ids], upstream.ids);
    assertEquals(story.text, upstream.text);
    for (const { text, ids, greedy_ids, greedy_text } of prompts) {
      const count = greedy_ids.length - ids.length;
      const got = await reply(...model, "--prompt", text, "--max-new-tokens", `${count}`);
      assertEquals([got.prompt_ids, [...got.prompt_ids, ...got.ids]], [ids, greedy_ids]);
      assertEquals(text + got.text, greedy_text);
    }
  },
);

sharedTest(
  "generate: tiny-random-gpt2 gives the published logits and ids",
  ["data", "models", "tiny-random-gpt2"],
  (model) =>
    inFolder(async (folder) => {
      const { cases } = await readJson(join(model, "golden.json"));
      for (const { ids, logits_every_200, greedy_ids } of cases) {
        const file = join(folder, "logits.safetensors");
        const got = await reply(
          ...["--model", model, "--tokens", ids.join(","), "--greedy", "--logits", file],
          ...["--max-new-tokens", `${greedy_ids.length - ids.length}`],
        );
        assertEquals([...ids, ...got.ids], greedy_ids);
        const { shape: [rows, vocab], data } = await logitsOf(file);
        assertEquals(rows, ids.length);
        logits_every_200.forEach((row: number[], r: number) =>
          row.forEach((want, i) => assert(Math.abs(data[r * vocab + 200 * i] - want) < 1e-6))
        );
      }
    }),
);
