/**
 * The nursery as a source of preference pairs: endless, packed window by window like its dialogues.
 */
import { InputError } from "../../kernels/errors.ts";
import type { PackedRow } from "../data/pack/pack.ts";
import type { TokenPair } from "../data/tokenise/tokenise.ts";
import { hash32 } from "../data/random.ts";
import { type CareOptions, preferencePair } from "../nursery/care.ts";
import { toExample, TOKEN } from "../nursery/tokens.ts";
import {
  assemblePairs,
  packPairs,
  type PairItem,
  pairItem,
  type PreferenceBatch,
  type PreferenceSource,
} from "../objective/pairs.ts";
import { packWindow, WINDOW } from "./nursery_source.ts";

/** Draws before a pair is given up on. */
const DRAWS = 1000;

/** Which pairs. */
export interface NurseryPairOptions {
  /** Most tokens of a reply with its prompt; pairs that have more are passed over. */
  readonly length: number;
  /** What the pairs are about. */
  readonly care: CareOptions;
  /** Train unless given. */
  readonly split?: "train" | "validation";
}

/**
 * Pair `index` of a seed.
 * @throws {InputError} when pairs do not fit the length.
 */
export function nurseryPair(
  seed: number,
  index: number,
  { length, care, split }: NurseryPairOptions,
): TokenPair {
  for (let draw = 0; draw < DRAWS; draw++) {
    const stream = draw === 0 ? seed : hash32(seed, "pair", draw);
    const pair = preferencePair(stream, index, { ...care, split });
    const [chosen, rejected] = [pair.chosen, pair.rejected].map((dialogue) =>
      toExample(dialogue, { promptWeight: 0 })
    );
    const differ = chosen.ids.join() !== rejected.ids.join();
    if (differ && Math.max(chosen.ids.length, rejected.ids.length) <= length) {
      return { chosen, rejected };
    }
  }
  throw new InputError(
    `nursery: no preference pair fits ${length} tokens; raise the stage's length (64 holds all)`,
  );
}

/** Shape of the batches. */
export interface NurseryPairsOptions extends NurseryPairOptions {
  /** Rows of a batch, an even number. */
  readonly rows: number;
  /** Seed of the pairs and their order. */
  readonly seed: number;
  /** Several pairs in a row. */
  readonly packing: boolean;
}

/** Batches of the nursery's pairs. */
export class NurseryPairs implements PreferenceSource {
  /** Places for tokens. */
  readonly tokensPerBatch: number;
  /** There is no end. */
  readonly stepsPerEpoch = null;
  readonly #options: NurseryPairsOptions;
  #window: { index: number; rows: PackedRow[] } | null = null;

  /** Packs nothing yet. */
  constructor(options: NurseryPairsOptions) {
    this.#options = options;
    this.tokensPerBatch = options.rows * options.length;
  }

  /** Batch number `step`, from 0. */
  batch(step: number): PreferenceBatch {
    const { rows, length } = this.#options;
    const index = Math.floor(step / WINDOW);
    if (this.#window?.index !== index) this.#window = { index, rows: this.#pack(index) };
    const at = (step % WINDOW) * rows / 2;
    return assemblePairs(this.#window.rows.slice(at, at + rows / 2), length, TOKEN.pad);
  }

  /** One line for people. */
  describe(): string {
    const { rows, length, seed } = this.#options;
    return `nursery preference pairs, ${rows} x ${length} a batch, seed ${seed}`;
  }

  #pack(window: number): PackedRow[] {
    const { seed, rows } = this.#options;
    const item = (id: number): PairItem => pairItem(nurseryPair(seed, id, this.#options), id);
    const shape = { ...this.#options, rows: rows / 2 };
    return packWindow(shape, "pairs", window, item, packPairs);
  }
}
