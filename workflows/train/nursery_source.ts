/**
 * The nursery as a source of batches: an endless stream of dialogues, packed window by window.
 *
 * A window holds enough dialogues for {@linkcode WINDOW} batches and is packed as a whole, so that rows are nearly full and short and
 * long dialogues are equally likely to be used. Window w depends on (seed, w) alone: any step can be had at any time.
 */
import { mix32, Random } from "../data/random.ts";
import type { TokenBatch, TokenExample } from "../data/batch.ts";
import { assembleBatch } from "../data/pack/assemble.ts";
import { type PackedRow, packExamples } from "../data/pack/pack.ts";
import type { BatchSource } from "../data/sources/source.ts";
import { careDialogue, type CareOptions } from "../nursery/care.ts";
import { rawDialogue } from "../nursery/corpus.ts";
import { type Dialogue, replyOf } from "../nursery/dialogue.ts";
import { isRefusal } from "../nursery/oracle.ts";
import { toExample, TOKEN } from "../nursery/tokens.ts";

/** Batches in a window. */
export const WINDOW = 16;

/** Which dialogues, and their shape in batches. */
export interface NurserySourceOptions {
  /** The raw corpus of pretraining, or the demonstrations D_care of value imprinting. */
  readonly corpus: "raw" | "care";
  /** Sequences a batch. */
  readonly rows: number;
  /** Tokens of each row. */
  readonly length: number;
  /** Seed of the dialogues and their order. */
  readonly seed: number;
  /** Loss weight of what is not a learned reply, in [0, 1]. */
  readonly promptWeight: number;
  /** Several dialogues in a row; otherwise one. */
  readonly packing: boolean;
  /** What the demonstrations are about; absent: the first stage's families. */
  readonly care?: CareOptions;
  /** Leave the demonstrations that refuse out of the KL term. */
  readonly klOnBenign?: boolean;
  /**
   * Validation: demonstrations about combinations that training never shows. The raw corpus speaks of training's combinations
   * only, so there it means other dialogues; what is learned about new combinations is the exam's question.
   */
  readonly split?: "train" | "validation";
}

/** A dialogue with its tokens. */
interface Item extends TokenExample {
  readonly refusal: boolean;
}

/** Batches of nursery dialogues; see the top of this file. */
export class NurserySource implements BatchSource {
  readonly tokensPerBatch: number;
  readonly #options: NurserySourceOptions;
  #window: { index: number; rows: PackedRow[] } | null = null;

  /** Packs nothing yet. */
  constructor(options: NurserySourceOptions) {
    this.#options = options;
    this.tokensPerBatch = options.rows * options.length;
  }

  /** Batch number `step`, from 0. */
  batch(step: number): TokenBatch {
    const { rows, length, klOnBenign } = this.#options;
    const index = Math.floor(step / WINDOW);
    if (this.#window?.index !== index) this.#window = { index, rows: this.#pack(index) };
    const at = (step % WINDOW) * rows;
    const packed = this.#window.rows.slice(at, at + rows);
    const batch = assembleBatch(packed, length, TOKEN.pad);
    return klOnBenign ? { ...batch, klWeights: benignWeights(packed, batch) } : batch;
  }

  /** One line for people and logs. */
  describe(): string {
    const { corpus, rows, length, seed } = this.#options;
    const what = corpus === "raw" ? "raw corpus" : "demonstrations";
    return `nursery ${what}, ${rows} x ${length} a batch, seed ${seed}`;
  }

  #pack(window: number): PackedRow[] {
    const { corpus } = this.#options;
    return packWindow(this.#options, corpus, window, (index) => this.#item(index), packExamples);
  }

  #item(index: number): Item {
    const dialogue = this.#dialogue(index);
    const example = toExample(dialogue, { promptWeight: this.#options.promptWeight });
    return { ...example, refusal: isRefusal(replyOf(dialogue)) };
  }

  #dialogue(index: number): Dialogue {
    const { corpus, seed, split = "train", care } = this.#options;
    if (corpus === "care") return careDialogue(seed, index, { ...care, split });
    return rawDialogue(split === "train" ? seed : mix32(seed ^ 0x5bd1e995), index);
  }
}

/** All rows of a window, in an order that does not tell their packing. */
export function packWindow<T extends TokenExample>(
  { rows, length, packing, seed }: Pick<
    NurserySourceOptions,
    "rows" | "length" | "packing" | "seed"
  >,
  stream: string,
  window: number,
  itemAt: (index: number) => T,
  pack: (items: readonly T[], length: number, packing: "bfd" | "none") => PackedRow[],
): PackedRow[] {
  const wanted = WINDOW * rows;
  const items: T[] = [];
  // Dialogue numbers of different windows must not meet; no window has more than this many.
  const first = window * wanted * length;
  let tokens = 0;
  const enough = () => packing ? tokens >= 0.97 * wanted * length : items.length >= wanted;
  for (let i = 0; !enough(); i++) {
    const item = itemAt(first + i);
    items.push(item);
    tokens += item.ids.length;
  }
  const packed = pack(items, length, packing ? "bfd" : "none");
  // 97 % of the tokens may fit into a few rows less: those are filled up with rows of the same window.
  for (let i = 0; packed.length < wanted; i++) packed.push(packed[i]);
  return new Random(seed, "order", stream, window).sample(packed, wanted);
}

/** The loss weights, with zeros for dialogues that refuse. */
function benignWeights(rows: readonly PackedRow[], batch: TokenBatch): Float32Array {
  const weights = batch.weights.slice();
  rows.forEach((row, r) => {
    let at = r * batch.length;
    for (const { example, from, to } of row) {
      if ((example as Item).refusal) weights.fill(0, at, at + to - from);
      at += to - from;
    }
  });
  return weights;
}
