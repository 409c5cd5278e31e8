/**
 * Preference pairs of a stage: from the nursery, or from a file of preferences.
 *
 * The nursery's pairs prefer the right reply to the violation, and on harmless requests the recipe to a refusal, so that refusing
 * everything loses.
 */
import { InputError } from "../../kernels/errors.ts";
import type { FileData, HubData, StageConfig } from "../config/config.ts";
import { openDataset } from "../data/dataset.ts";
import { normaliseRows } from "../data/formats/normalise.ts";
import { rowKey, sideOf } from "../data/order/split.ts";
import { TokenisationReport } from "../data/report.ts";
import { chatRenderer } from "../data/tokenise/chat.ts";
import { tokenisePair, type TokenPair } from "../data/tokenise/tokenise.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import type { CareOptions } from "../nursery/care.ts";
import { memoryPairs, type PreferenceSource } from "../objective/pairs.ts";
import { nurseryPair, NurseryPairs } from "./nursery_pairs.ts";
import { datasetOptions, decides, formatOptions, HELD_OUT } from "./data_options.ts";

/** Most held-out pairs, and most pairs that baselines learn from. */
const MOST_HELD_OUT = 400;

/** A stage's pairs. */
export interface PairData {
  readonly source: PreferenceSource;
  /** Never trained on, for what is reported. */
  readonly heldOut: readonly TokenPair[];
  /** Never trained on, for gates; none in the nursery, whose oracle says more. */
  readonly deciding: readonly TokenPair[];
  /** Some of the pairs that are trained on. */
  readonly training: readonly TokenPair[];
  /** What became of the rows, for people. */
  readonly notes: readonly string[];
}

/** The nursery's pairs. @throws {InputError} when no pair fits the stage's length. */
export function nurseryPairData(stage: StageConfig, seed: number, care: CareOptions): PairData {
  const { length, batch_size: rows, packing } = stage;
  const options = { rows, length, packing, seed, care };
  const pairs = (split: "train" | "validation") =>
    Array.from(
      { length: MOST_HELD_OUT },
      (_, i) => nurseryPair(seed, i, { length, split, care }),
    );
  return {
    source: new NurseryPairs(options),
    heldOut: pairs("validation"),
    deciding: [],
    training: pairs("train"),
    notes: [],
  };
}

/** Pairs from a file. @throws {InputError} when it holds none, or other rows. */
export async function filePairData(
  stage: StageConfig,
  data: FileData | HubData,
  tokenizer: Tokenizer,
  seed: number,
): Promise<PairData> {
  const place = "path" in data ? data.path : data.hub;
  if (data.streaming) {
    throw new InputError(
      `stage ${stage.name}: preference pairs are read before training; set streaming: false (and limit, where there are too many)`,
    );
  }
  const dataset = await openDataset(place, datasetOptions(data));
  const report = new TokenisationReport();
  const options = { maxLength: stage.length, chat: chatRenderer(tokenizer) };
  const training: TokenPair[] = [];
  const heldOut: TokenPair[] = [];
  const deciding: TokenPair[] = [];
  for await (const row of normaliseRows(dataset, formatOptions(data), report)) {
    if (row.kind !== "preference") {
      throw new InputError(
        `${row.where}: weights.po needs chosen and rejected replies, found a ${row.kind} row`,
      );
    }
    const held = sideOf(rowKey(row), { validation: HELD_OUT }) === "validation";
    const side = held ? (decides(row) ? deciding : heldOut) : training;
    if (held && side.length >= MOST_HELD_OUT) continue;
    const pair = tokenisePair(row, tokenizer, options, report);
    if (pair) side.push(pair);
    if (training.length === data.limit) break;
  }
  if (training.length === 0) {
    throw new InputError(
      `${place}: no preference pair to learn: ${
        report.reasons().join(", ") || "every row is held out"
      }`,
    );
  }
  const equal = report.dropped("chosen equals rejected after truncation");
  const warning = equal > 0.02 * (report.kept + report.dropped())
    ? [
      `warning: ${equal} of ${
        report.kept + report.dropped()
      } pairs are left out, since their replies are equal within the ` +
      `first ${stage.length} tokens: raise length`,
    ]
    : [];
  const { batch_size: rows, length, packing } = stage;
  return {
    source: memoryPairs(training, { rows, length, packing, seed, padId: tokenizer.padId ?? 0 }),
    heldOut,
    deciding,
    training: training.slice(0, 20 * MOST_HELD_OUT),
    notes: [
      `${place}: pairs: ${report}; ${heldOut.length} held out, ${deciding.length} for gates`,
      ...warning,
    ],
  };
}
