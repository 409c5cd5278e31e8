/**
 * What a stage learns from: the nursery, a file or a hub dataset, as numbered batches and a held-out share.
 */
import { InputError } from "../../kernels/errors.ts";
import type { TokenBatch, TokenExample } from "../data/batch.ts";
import { type FileData, type HubData, type StageConfig, stageWeights } from "../config/config.ts";
import { openDataset } from "../data/dataset.ts";
import { normaliseRows } from "../data/formats/normalise.ts";
import type { TaskRow } from "../data/formats/rows.ts";
import { rowKey, sideOf } from "../data/order/split.ts";
import { assembleBatch } from "../data/pack/assemble.ts";
import { packExamples } from "../data/pack/pack.ts";
import { TokenisationReport } from "../data/report.ts";
import { packedSource } from "../data/sources/memory.ts";
import { StreamSource } from "../data/sources/stream.ts";
import type { BatchSource } from "../data/sources/source.ts";
import { chatRenderer } from "../data/tokenise/chat.ts";
import { asDemonstration, tokeniseRow } from "../data/tokenise/tokenise.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import { careDialogue } from "../nursery/care.ts";
import { rawDialogue } from "../nursery/corpus.ts";
import { toExample } from "../nursery/tokens.ts";
import { activeCare } from "../stages/environments.ts";
import { NurserySource } from "./nursery_source.ts";
import { datasetOptions, formatOptions, HELD_OUT } from "./data_options.ts";
import { filePairData, nurseryPairData, type PairData } from "./pair_data.ts";

/** Batches of the held-out loss. */
const HELD_OUT_BATCHES = 8;
/** Training examples of a stream that are kept at hand, for Fisher estimates. */
const STREAM_PREVIEW = 1024;

/** A stage's data. */
export interface StageData {
  readonly source: BatchSource;
  /** Held-out batches; never trained on. */
  readonly heldOut: readonly TokenBatch[];
  /** Tokens in one pass over the data; null for the nursery and for streams, whose end is not known. */
  readonly epochTokens: number | null;
  /** Up to `count` of the stage's own examples for Fisher estimates: weight 1 on the tokens of replies, 0 on all others. */
  fisherExamples(count: number): TokenExample[];
  /** Preference pairs; null where preference optimisation has no weight. */
  readonly pairs: PairData | null;
  /** What the tokeniser did, for people. */
  readonly notes: readonly string[];
}

/** Opens a stage's data. @throws {InputError} when it cannot be read, or holds nothing to learn or to estimate Fisher from. */
export async function openStageData(
  stage: StageConfig,
  tokenizer: Tokenizer | null,
  seed: number,
): Promise<StageData> {
  const data = stage.data === "nursery"
    ? nurseryData(stage, seed)
    : await fileData(stage, stage.data, tokenizer, seed);
  // Told now, because the estimate comes at the stage's end.
  if (stage.fisher && data.fisherExamples(stage.fisher.samples).length === 0) {
    throw new InputError(
      `stage ${stage.name}: fisher needs examples whose reply begins within length (${stage.length} tokens), found none: ` +
        `raise length, or set fisher: null`,
    );
  }
  return data;
}

function nurseryData(stage: StageConfig, seed: number): StageData {
  const imprint = stage.kind !== "language_modelling";
  const care = imprint
    ? activeCare(stage.environment, stage.newest_share, stage.harmful_share, stage.replay_share)
    : undefined;
  const options = {
    corpus: imprint ? "care" : "raw",
    care,
    rows: stage.batch_size,
    length: stage.length,
    seed,
    promptWeight: stage.prompt_weight,
    packing: stage.packing,
    klOnBenign: imprint && stage.kl_on === "benign",
  } as const;
  const held = new NurserySource({ ...options, split: "validation" });
  return {
    source: new NurserySource(options),
    heldOut: Array.from({ length: HELD_OUT_BATCHES }, (_, i) => held.batch(i)),
    epochTokens: null,
    fisherExamples: (count) =>
      Array.from({ length: count }, (_, i) => {
        const dialogue = imprint ? careDialogue(seed, i, care) : rawDialogue(seed, i);
        return scoredReplies(toExample(dialogue, { promptWeight: 0 }), stage.length);
      }).filter(isScored),
    pairs: care && stageWeights(stage).po > 0 ? nurseryPairData(stage, seed, care) : null,
    notes: [],
  };
}

async function fileData(
  stage: StageConfig,
  data: FileData | HubData,
  tokenizer: Tokenizer | null,
  seed: number,
): Promise<StageData> {
  if (!tokenizer) {
    throw new InputError(
      `stage ${stage.name}: reading text needs a tokenizer; name one as model.tokenizer`,
    );
  }
  if (stage.kind !== "language_modelling" && stage.kl_on === "benign") {
    throw new InputError(
      `stage ${stage.name}: kl_on: benign needs data that says which demonstrations refuse, which only the nursery does; ` +
        `use kl_on: all`,
    );
  }
  const place = "path" in data ? data.path : data.hub;
  const dataset = await openDataset(place, datasetOptions(data));
  const report = new TokenisationReport();
  const shape = { rows: stage.batch_size, length: stage.length, padId: tokenizer.padId ?? 0 };
  const packing = stage.packing ? "bfd" : "none";
  const tokeniseOptions = {
    maxLength: stage.length,
    promptWeight: stage.prompt_weight,
    chat: chatRenderer(tokenizer),
  };
  const tokenise = (row: TaskRow) =>
    tokeniseRow(asDemonstration(row), tokenizer, tokeniseOptions, report);
  const rows = () => normaliseRows(dataset, formatOptions(data), report);
  const held = (row: TaskRow) => sideOf(rowKey(row), { validation: HELD_OUT }) === "validation";
  const train: TokenExample[] = [];
  const validation: TokenExample[] = [];
  // A stream is read here only as far as the held-out loss and Fisher estimates need it.
  const enough = data.streaming
    ? Math.min(data.limit ?? STREAM_PREVIEW, STREAM_PREVIEW)
    : data.limit;
  // Packing puts the longest examples first, so more of them than are used would make the held-out loss one of long texts.
  let placesLeft = HELD_OUT_BATCHES * shape.rows * shape.length;
  let spare = 0;
  for await (const row of rows()) {
    const isHeld = held(row);
    if (isHeld && placesLeft <= 0) {
      spare++;
      continue;
    }
    const example = tokenise(row);
    if (example === null) continue;
    (isHeld ? validation : train).push(example);
    if (isHeld) placesLeft -= stage.packing ? example.ids.length : stage.length;
    if (train.length === enough) break;
  }
  if (train.length === 0) {
    const reason = report.reasons().join(", ") || "every row is held out";
    throw new InputError(`${place}: nothing to learn: ${reason}`);
  }
  const pairs = stageWeights(stage).po > 0
    ? await filePairData(stage, data, tokenizer, seed)
    : null;
  const options = { ...shape, seed, packing } as const;
  const memory = data.streaming ? null : packedSource(train, options);
  const source = memory ??
    new StreamSource(() => taken(rows(), (row) => !held(row), data.limit), tokenise, options);
  return {
    source,
    heldOut: heldOutBatches(validation, shape, packing),
    epochTokens: epochOf(pairs?.source ?? memory),
    pairs,
    fisherExamples: (count) =>
      train.slice(0, count).map((example) => scoredReplies(example, stage.length))
        .filter(isScored),
    notes: [
      `${place}: ${source.describe()}`,
      `${report}; ${train.length} examples to learn, ${validation.length} held out` +
      (spare > 0 ? ` (and ${spare} that the held-out loss does not need)` : ""),
      ...pairs?.notes ?? [],
    ],
  };
}

/** Tokens in one pass; where there are pairs, over those. */
function epochOf(
  source: { readonly stepsPerEpoch: number | null; readonly tokensPerBatch: number } | null,
): number | null {
  return source && source.stepsPerEpoch && source.stepsPerEpoch * source.tokensPerBatch;
}

/** The first `length` tokens of an example, with weight 1 on its replies and 0 on prompts, whatever `prompt_weight` is. */
function scoredReplies({ ids, weights }: TokenExample, length: number): TokenExample {
  return {
    ids: ids.slice(0, length),
    weights: weights.slice(0, length).map((weight) => Number(weight === 1)),
  };
}

/** Whether any token is scored; a prompt that fills the length leaves no reply to take a gradient of. */
const isScored = ({ weights }: TokenExample): boolean => weights.includes(1);

/** The first `limit` rows that are wanted; all of them where it is null. */
async function* taken<T>(
  rows: AsyncIterable<T>,
  wanted: (row: T) => boolean,
  limit: number | null,
): AsyncGenerator<T> {
  let count = 0;
  for await (const row of rows) {
    if (!wanted(row)) continue;
    yield row;
    if (++count === limit) return;
  }
}

function heldOutBatches(
  examples: readonly TokenExample[],
  { rows, length, padId }: { rows: number; length: number; padId: number },
  packing: "bfd" | "none",
): TokenBatch[] {
  const packed = packExamples(examples, length, packing);
  const batches: TokenBatch[] = [];
  for (let at = 0; at < packed.length && batches.length < HELD_OUT_BATCHES; at += rows) {
    // Rows without examples make the last batch of few examples as large as the others.
    const full = Array.from({ length: rows }, (_, r) => packed[at + r] ?? []);
    batches.push(assembleBatch(full, length, padId));
  }
  return batches;
}
