/**
 * `deno task generate`: a model's reply to a prompt, and the prompt's logits.
 */
import { InputError } from "../../kernels/errors.ts";
import { Generator } from "../../kernels/policy/generate.ts";
import { loadParameters, type Parameters } from "../../kernels/policy/parameters.ts";
import type { SamplingSettings } from "../../kernels/sampling/state.ts";
import { renderChat } from "../data/tokenizers/chat.ts";
import { decodeContinuation, type Tokenizer } from "../data/tokenizers/tokenizer.ts";
import { isFile } from "../model_files/files.ts";
import { type LoadedModel, loadModel } from "../model_files/load_model.ts";
import { mergeLora } from "../model_files/lora.ts";
import { readAdapter } from "../model_files/peft.ts";
import { writeSafetensors } from "../model_files/safetensors_write.ts";
import { wearCapacitor } from "../safety/capacitor/policy.ts";
import { loadWorldModel } from "../safety/world_model/files.ts";
import { openDevice } from "../setup/open.ts";
import { runPass, unlabelled } from "../verify/pass.ts";
import { type Command, type CommonValues, defineCommand, main } from "./command.ts";
import type { Values } from "./options.ts";

/** Length of a reply when nobody says otherwise. */
const MAX_NEW_TOKENS = 128;

const OPTIONS = {
  model: { type: "string", value: "DIR-or-FILE", help: "folder, .safetensors, .gguf or .bin" },
  tokenizer: { type: "string", value: "FILE", help: "tokenizer, where none is beside the weights" },
  prompt: { type: "string", value: "TEXT", help: "text to go on from; may be empty", empty: true },
  tokens: { type: "string", value: "1,2,3", help: "token ids instead of a prompt, as they are" },
  chat: { type: "boolean", help: "the prompt is a user's turn: apply the chat template" },
  "max-new-tokens": {
    type: "integer",
    value: "N",
    min: 0,
    help: `longest reply (default: the model's, else ${MAX_NEW_TOKENS})`,
  },
  greedy: { type: "boolean", help: "always the most likely token" },
  temperature: {
    type: "number",
    value: "T",
    min: 0,
    help: "0 is greedy (default: the model's, else 1)",
  },
  "top-k": { type: "integer", value: "K", min: 0, help: "draw among the K most likely tokens" },
  "top-p": { type: "number", value: "P", min: 0, help: "draw among the likeliest that reach P" },
  "repetition-penalty": {
    type: "number",
    value: "R",
    help: "divides logits of tokens seen before",
  },
  capacitor: {
    type: "string",
    value: "DIR",
    help: "wear a value capacitor: a reply that its world model flags is replaced by a safe one",
  },
  logits: {
    type: "string",
    value: "FILE.safetensors",
    help: "write the prompt's logits [tokens, vocabulary]",
  },
} as const;

type GenerateValues = Values<typeof OPTIONS> & CommonValues;

/** The command. */
export function generateCommand(): Command<typeof OPTIONS> {
  return defineCommand({
    name: "generate",
    summary: "Continues a prompt with a model; prints the reply alone.",
    options: OPTIONS,
    notes: [
      "",
      '  deno task generate --model runs/first/checkpoints/imprint-100 --chat --prompt "hello ."',
      "  deno task generate --model stories.bin --tokenizer tok.bin --greedy --max-new-tokens 200",
      "  deno task generate --model model --tokens 1,2,3 --max-new-tokens 0 --logits l.safetensors",
    ],
    async run({ values, note }) {
      const path = values.model;
      if (path === undefined) {
        throw new InputError(
          "--model is missing: name a model folder, .safetensors, .gguf or .bin",
        );
      }
      checkTogether(values);
      const model = await withAdapter(
        path,
        await loadModel(path, { tokenizer: values.tokenizer }),
        note,
      );
      const { config } = model.weights;
      const prompt = promptIds(values, model);
      const asked = values["max-new-tokens"] ?? number(model, "max_new_tokens") ?? MAX_NEW_TOKENS;
      const maxNew = Math.min(asked, config.context - prompt.length);
      checkLength(prompt.length, asked, config.context);
      const settings = sampling(values, model);

      const gpu = await openDevice(values, note);
      const parameters = loadParameters(gpu, model.weights, { trainable: false });
      if (values.logits !== undefined) await writeLogits(parameters, prompt, values.logits);
      const worn = values.capacitor;
      const ids = maxNew === 0
        ? []
        : worn === undefined
        ? await reply(parameters, prompt, maxNew, settings)
        : await guardedReply(parameters, prompt, maxNew, settings, worn, note);
      gpu.close();
      if (ids.length === maxNew && maxNew < asked) {
        note(`note: the reply ends at the model's context of ${config.context} tokens`);
      }
      const text = model.tokenizer ? textOf(model.tokenizer, prompt, ids) : null;
      if (!values.json) console.log(text ?? ids.join(","));
      return { ok: true, json: { prompt_ids: prompt, ids, text } };
    },
  });
}

/** Options that exclude each other. */
function checkTogether(values: GenerateValues): void {
  const both = (a: keyof GenerateValues, b: keyof GenerateValues, why: string) => {
    if (values[a] !== undefined && values[b] !== undefined) {
      throw new InputError(`--${a} and --${b} exclude each other: ${why}`);
    }
  };
  both("prompt", "tokens", "give a text or its token ids");
  both("chat", "tokens", "token ids are used as they are");
  for (const option of ["temperature", "top-k", "top-p"] as const) {
    both("greedy", option, "greedy choice draws nothing");
  }
}

/** The model with the adapter that lies in its folder, if one does. */
async function withAdapter(
  path: string,
  model: LoadedModel,
  note: (line: string) => void,
): Promise<LoadedModel> {
  if (!await isFile(`${path}/adapter_config.json`)) return model;
  const adapter = await readAdapter(path, model.weights.config);
  note(`note: ${path} holds a LoRA adapter of rank ${adapter.r}; it is merged into the weights`);
  return { ...model, weights: mergeLora(model.weights, adapter) };
}

/** The prompt's token ids. */
function promptIds(values: GenerateValues, { tokenizer, weights }: LoadedModel): number[] {
  if (values.tokens !== undefined) return parseIds(values.tokens, weights.config.vocabSize);
  if (!tokenizer) {
    throw new InputError(
      `${values.model}: there is no tokenizer beside the weights: name one with --tokenizer ` +
        "FILE, or give token ids with --tokens 1,2,3",
    );
  }
  const text = values.prompt ?? "";
  const ids = values.chat ? chatIds(tokenizer, text) : tokenizer.encode(text);
  if (ids.length > 0) return ids;
  throw new InputError(
    "the prompt has no tokens, and this tokenizer begins texts with none: write --prompt TEXT",
  );
}

function chatIds(tokenizer: Tokenizer, content: string): number[] {
  const text = renderChat(tokenizer, [{ role: "user", content }], { addGenerationPrompt: true });
  return tokenizer.encode(text, { addSpecialTokens: false });
}

function parseIds(text: string, vocab: number): number[] {
  return text.split(",").map((word, i) => {
    const id = /^\s*\d+\s*$/.test(word) ? Number(word) : NaN;
    if (id < vocab) return id;
    throw new InputError(
      `--tokens: entry ${i + 1} must be a token id from 0 to ${vocab - 1}, found "${word.trim()}"`,
    );
  });
}

function checkLength(prompt: number, asked: number, context: number): void {
  if (prompt > context) {
    throw new InputError(
      `the prompt has ${prompt} tokens, the model's context is ${context}: shorten the prompt`,
    );
  }
  if (prompt === context && asked > 0) {
    throw new InputError(
      `the prompt fills the model's context of ${context} tokens: shorten it for a reply, ` +
        "or ask for none with --max-new-tokens 0",
    );
  }
}

/** A number from `generation_config.json`. */
function number({ generation }: LoadedModel, name: string): number | undefined {
  const value = generation[name];
  return typeof value === "number" ? value : undefined;
}

/** The command line's settings before the model's own. */
function sampling(values: GenerateValues, model: LoadedModel): SamplingSettings {
  const { eosId = null } = model.tokenizer ?? {};
  const stops = new Set([...model.eosTokenIds, ...(eosId === null ? [] : [eosId])]);
  return {
    temperature: values.greedy ? 0 : values.temperature ?? number(model, "temperature") ?? 1,
    topK: values["top-k"] ?? number(model, "top_k"),
    topP: values["top-p"] ?? number(model, "top_p"),
    repetitionPenalty: values["repetition-penalty"] ?? number(model, "repetition_penalty"),
    seed: values.seed ?? 0,
    padToken: 0,
    stopTokens: [...stops].filter((id) => id < model.weights.config.vocabSize),
  };
}

async function writeLogits(
  parameters: Parameters,
  prompt: readonly number[],
  path: string,
): Promise<void> {
  const { logits } = await runPass(parameters, unlabelled(prompt));
  const shape = [prompt.length, parameters.config.vocabSize];
  await writeSafetensors(path, [{ name: "logits", shape, data: logits }]);
}

async function reply(
  parameters: Parameters,
  prompt: readonly number[],
  maxNew: number,
  settings: SamplingSettings,
): Promise<readonly number[]> {
  const sizes = { batch: 1, maxNew, capacity: prompt.length + maxNew };
  const generator = new Generator(parameters, sizes);
  try {
    return (await generator.generate([prompt], settings))[0].ids;
  } finally {
    generator.destroy();
  }
}

/** The reply behind the capacitor in a folder (INFANT Eq. 27), without the token that ended it; a note says what was done. */
async function guardedReply(
  parameters: Parameters,
  prompt: readonly number[],
  maxNew: number,
  settings: SamplingSettings,
  folder: string,
  note: (line: string) => void,
): Promise<readonly number[]> {
  const { worldModel, card } = await loadWorldModel(parameters.gpu, folder);
  const safeActions = card.safe_replies.map(({ ids }) => ids);
  const capacitor = wearCapacitor(parameters, worldModel, { safeActions, maxNew, batch: 1 });
  try {
    const { replies: [{ reply, unsafe, projected }] } = await capacitor.respond([prompt], settings);
    const { threshold } = worldModel;
    note(
      `note: P(unsafe) = ${unsafe.toPrecision(3)}, threshold ${threshold.toPrecision(3)}: ` +
        (projected ? "the reply was replaced by the nearest safe one" : "the reply passes"),
    );
    return reply;
  } finally {
    capacitor.destroy();
    worldModel.destroy();
  }
}

/**
 * The text that goes on from the prompt's. A model may have rows beyond its tokenizer's words:
 * those have no text.
 */
function textOf(tokenizer: Tokenizer, prompt: readonly number[], ids: readonly number[]): string {
  const known = (list: readonly number[]) => list.filter((id) => id < tokenizer.vocabSize);
  return decodeContinuation(tokenizer, known(prompt), known(ids));
}

if (import.meta.main) await main(generateCommand());
