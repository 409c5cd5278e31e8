/**
 * Opening what is certified: a model's folder, and what it wears, as a policy that replies.
 */
import { InputError } from "../../../kernels/errors.ts";
import { defaultMatmul, type Gpu } from "../../../kernels/gpu/device.ts";
import { loadParameters } from "../../../kernels/policy/parameters.ts";
import type { SamplingSettings } from "../../../kernels/sampling/state.ts";
import type { Content } from "../../data/formats/rows.ts";
import { chatRenderer } from "../../data/tokenise/chat.ts";
import { tokenisePrompt } from "../../data/tokenise/tokenise.ts";
import { decodeContinuation, type Tokenizer } from "../../data/tokenizers/tokenizer.ts";
import { isFile } from "../../model_files/files.ts";
import { localModel } from "../../model_files/hub.ts";
import { type LoadedModel, loadModel } from "../../model_files/load_model.ts";
import { mergeLora } from "../../model_files/lora.ts";
import { readAdapter } from "../../model_files/peft.ts";
import { type Dialogue, REFUSAL } from "../../nursery/dialogue.ts";
import { promptIds, replyWords } from "../../nursery/tokens.ts";
import { nurseryVocabulary } from "../../nursery/words.ts";
import { BatchedGenerator } from "../capacitor/batched_generator.ts";
import { type CapacitorPolicy, wearCapacitor } from "../capacitor/policy.ts";
import { openPatterns } from "../patterns/open.ts";
import { loadWorldModel } from "../world_model/files.ts";
import { type Hashed, hashModel } from "./hashes.ts";
import type { Subject } from "./observe.ts";
import { sha256Of } from "./outcomes.ts";
import { behindPatterns, type CertifiedPolicy } from "./policy.ts";

/** What is certified. */
export interface SubjectRequest {
  /** Model folder or file. */
  readonly model: string;
  /** Its tokenizer, where none is beside the weights; null otherwise. */
  readonly tokenizer: string | null;
  /** Folder of the capacitor that it wears, or null. */
  readonly capacitor: string | null;
  /** File of forbidden patterns, or a set of the toolkit's by name; null: none. */
  readonly patterns: string | null;
  /** Longest reply in tokens. */
  readonly maxNewTokens: number;
}

/** How prompts become tokens and tokens text. */
export interface Language<Prompt> {
  /** The tokens to go on from. */
  encode(prompt: Prompt): readonly number[];
  /** The reply as text. */
  decode(prompt: readonly number[], ids: readonly number[]): string;
  /** What a guard says instead of a reply. */
  readonly refusal: string;
  /** Replies made at once. */
  readonly batch: number;
}

/** The nursery's. */
export const NURSERY_LANGUAGE: Language<Dialogue> = {
  encode: promptIds,
  decode: (_, ids) => replyWords(ids).join(" "),
  refusal: REFUSAL.join(" "),
  batch: 128,
};

/** A real model's; a prompt is a user's turn where the model has a chat template. */
function textLanguage(tokenizer: Tokenizer, room: number): Language<Content> {
  const chat = chatRenderer(tokenizer);
  return {
    encode(prompt) {
      const asked: Content = chat && typeof prompt === "string"
        ? [{ role: "user", content: prompt }]
        : prompt;
      const row = { kind: "prompt", where: "prompt", prompt: asked } as const;
      return tokenisePrompt(row, tokenizer, { maxLength: room, chat });
    },
    decode(prompt, ids) {
      const known = (list: readonly number[]) => list.filter((id) => id < tokenizer.vocabSize);
      return decodeContinuation(tokenizer, known(prompt), known(ids)).trim();
    },
    refusal: "I'm sorry, but I can't help with that.",
    batch: 16,
  };
}

/** What a subject is made of. */
export type Hashes = Pick<Subject<unknown>, "model" | "tokenizer" | "capacitor" | "patterns">;

/** What was opened; `close` frees it. */
export interface OpenSubject<Prompt> extends Subject<Prompt> {
  /** Frees the GPU's memory. */
  close(): void;
}

async function openModel({ model: name, tokenizer }: SubjectRequest): Promise<LoadedModel> {
  const path = await localModel(name);
  const model = await loadModel(path, { tokenizer: tokenizer ?? undefined });
  if (!await isFile(`${path}/adapter_config.json`)) return model;
  return {
    ...model,
    weights: mergeLora(model.weights, await readAdapter(path, model.weights.config)),
  };
}

/** Greedy decoding, which is what a certificate is about. */
function greedy({ tokenizer, weights, eosTokenIds }: LoadedModel): SamplingSettings {
  const { eosTokenId, padTokenId, vocabSize } = weights.config;
  const stops = [...eosTokenIds, eosTokenId, tokenizer?.eosId ?? null];
  const stopTokens = [...new Set(stops)].filter((id) => id !== null && id < vocabSize) as number[];
  return { temperature: 0, seed: 0, padToken: padTokenId ?? 0, stopTokens };
}

async function open<Prompt>(
  gpu: Gpu,
  request: SubjectRequest,
  model: LoadedModel,
  language: Language<Prompt>,
): Promise<OpenSubject<Prompt>> {
  const hashes = await hashSubject(request);
  const set = request.patterns === null ? null : await openPatterns(request.patterns);
  const capacitor = request.capacitor === null
    ? null
    : await loadWorldModel(gpu, request.capacitor);
  const parameters = loadParameters(gpu, model.weights, { trainable: false });
  const settings = greedy(model);
  const sizes = { maxNew: request.maxNewTokens, batch: language.batch };
  if (capacitor) {
    const { worldModel, card } = capacitor;
    const worn = wearCapacitor(parameters, worldModel, {
      safeActions: card.safe_replies.map(({ ids }) => ids),
      ...sizes,
      patterns: set && {
        filter: set,
        decode: (ids) => language.decode([], ids),
      },
    });
    const close = () => [worn, worldModel, parameters].forEach((one) => one.destroy());
    return { policy: behindCapacitor(worn, settings, language), ...hashes, close };
  }
  const generator = new BatchedGenerator(parameters, sizes);
  const propose = async (prompts: readonly Prompt[]) => {
    const encoded = prompts.map((prompt) => language.encode(prompt));
    const replies = await generator.generate(encoded, settings);
    return replies.map(({ ids }, i) => language.decode(encoded[i], ids));
  };
  const { refusal } = language;
  const filter = set && { refusal, matches: (reply: string) => set.matches(reply) };
  const close = () => [generator, parameters].forEach((one) => one.destroy());
  return { policy: behindPatterns(propose, filter), ...hashes, close };
}

/** A policy that wears a capacitor, and patterns within it. */
export function behindCapacitor<Prompt>(
  worn: Pick<CapacitorPolicy, "respond">,
  settings: SamplingSettings,
  { encode, decode }: Pick<Language<Prompt>, "encode" | "decode">,
): CertifiedPolicy<Prompt> {
  return {
    async reply(prompts) {
      const encoded = prompts.map((prompt) => encode(prompt));
      const { replies } = await worn.respond(encoded, settings);
      return replies.map(({ reply, proposed, flagged, matched }, i) => {
        const proposal = decode(encoded[i], proposed);
        const said = decode(encoded[i], reply);
        // What is flagged is projected whether a pattern matches it or not.
        return { proposal, flagged, projected: flagged ? said : proposal, matched, reply: said };
      });
    },
  };
}

/**
 * A policy of the nursery.
 * @throws {InputError} when the model does not speak the nursery's words, or a file cannot be used.
 */
export async function openNurserySubject(
  gpu: Gpu,
  request: SubjectRequest,
): Promise<OpenSubject<Dialogue>> {
  const model = await openModel(request);
  const { vocabSize } = model.weights.config;
  if (vocabSize !== nurseryVocabulary.length) {
    throw new InputError(
      `${request.model}: this model has ${vocabSize} tokens, the nursery ${nurseryVocabulary.length}: ` +
        "certify it on prompts of its own with --data FILE --judge FILE --judge-labels FILE",
    );
  }
  return await open(gpu, request, model, NURSERY_LANGUAGE);
}

/**
 * Any model, on texts.
 * @throws {InputError} when it has no tokenizer, or a file cannot be used.
 */
export async function openTextSubject(
  gpu: Gpu,
  request: SubjectRequest,
): Promise<OpenSubject<Content>> {
  const model = await openModel(request);
  const { tokenizer, weights } = model;
  if (!tokenizer) {
    throw new InputError(`${request.model}: there is no tokenizer beside the weights`);
  }
  const room = weights.config.context - request.maxNewTokens;
  if (room < 2) {
    throw new InputError(
      `--max-new-tokens ${request.maxNewTokens} leaves no room for prompts in a context of ` +
        `${weights.config.context} tokens`,
    );
  }
  return await open(gpu, request, model, textLanguage(tokenizer, room));
}

/** Hashes of what a request names. */
export async function hashSubject(
  { model, tokenizer, capacitor, patterns }: SubjectRequest,
): Promise<Hashes> {
  return {
    model: { ...await hashModel(await localModel(model)), path: model },
    tokenizer: tokenizer === null ? null : await hashModel(tokenizer),
    capacitor: capacitor === null ? null : await hashModel(capacitor),
    patterns: patterns === null ? null : await hashPatterns(patterns),
  };
}

/** A set that comes with the toolkit is hashed as the text it is. */
async function hashPatterns(name: string): Promise<Hashed> {
  const { PATTERN_SETS } = await import("../patterns/defaults.ts");
  const own = Object.entries(PATTERN_SETS).find(([known]) => known === name);
  if (!own) return await hashModel(name);
  return { path: name, files: { [`${name}.yaml`]: sha256Of([own[1]]) } };
}

/** What a certificate calls the adapter: words that are the same only where sums are rounded in the same order. */
export function adapterName({ info, matmulSchedule }: Gpu): string {
  const { description, vendor, architecture } = info;
  const names = [description, vendor, architecture].filter((part) => part !== "");
  const schedule = matmulSchedule === defaultMatmul(info) ? [] : [`matmul ${matmulSchedule}`];
  return [...names.length > 0 ? names : ["unknown"], ...schedule].join(", ");
}
