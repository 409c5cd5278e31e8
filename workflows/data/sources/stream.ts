/**
 * Batches from a stream that may be larger than memory: shuffle buffer, tokenise, pack window by window.
 *
 * Memory holds the shuffle buffer and one window. The stream is deterministic, so its place is three numbers,
 * and {@linkcode StreamSource.restore} gets there by reading (not tokenising) what came before in the epoch.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { TokenBatch, TokenExample } from "../batch.ts";
import { shuffleBuffer } from "../order/shuffle_buffer.ts";
import { assembleBatch } from "../pack/assemble.ts";
import { type PackedRow, packExamples, type Packing } from "../pack/pack.ts";
import { type BatchOptions, checkShape, checkStep } from "./memory.ts";
import type { BatchSource } from "./source.ts";

/** Shape, order and memory of a streaming source. */
export interface StreamOptions extends BatchOptions {
  /** How examples share rows. */
  readonly packing: Packing;
  /** Items held for shuffling; default 1000. */
  readonly shuffleItems?: number;
  /** Items packed together; default 1000. Larger windows pack tighter. */
  readonly windowItems?: number;
}

/** Where a stream stands: before which batch, epoch, item of the epoch, and packed row of its window. */
export interface StreamState {
  /** Number of the next batch. */
  readonly step: number;
  /** Epoch of the next packed row. */
  readonly epoch: number;
  /** First item of its window, counted in the epoch's shuffled order. */
  readonly item: number;
  /** Its number in the window. */
  readonly row: number;
}

const BEGINNING: StreamState = { step: 0, epoch: 0, item: 0, row: 0 };

/**
 * A batch source over a stream that can be opened anew for every epoch.
 *
 * Steps are meant to be asked for in order. A later step is reached by skipping, an earlier one by beginning
 * again; both give the batch that going there step by step gives.
 */
export class StreamSource<T> implements BatchSource {
  /** See {@linkcode BatchSource}. */
  readonly tokensPerBatch: number;
  readonly #open: () => AsyncIterable<T>;
  readonly #tokenise: (item: T) => TokenExample | null;
  readonly #options: StreamOptions;
  #next: StreamState = BEGINNING;
  #rows: AsyncGenerator<{ row: PackedRow; after: Omit<StreamState, "step"> }> | null = null;
  /** Calls wait for each other: there is one place in the stream. */
  #last: Promise<unknown> = Promise.resolve();

  /**
   * A source over the items that `open` gives.
   * @param open gives the items of one epoch, the same ones in the same order every time.
   * @param tokenise an item's example, or null to leave it out; must depend on the item alone.
   */
  constructor(
    open: () => AsyncIterable<T>,
    tokenise: (item: T) => TokenExample | null,
    options: StreamOptions,
  ) {
    checkShape(options);
    const { shuffleItems = 1000, windowItems = 1000 } = options;
    for (const [name, value] of Object.entries({ shuffleItems, windowItems })) {
      if (!Number.isSafeInteger(value) || value < 1) {
        throw new InputError(`${name}: must be a positive whole number, found ${value}`);
      }
    }
    this.#open = open;
    this.#tokenise = tokenise;
    this.#options = options;
    this.tokensPerBatch = options.rows * options.length;
  }

  /** Batch number `step`, from 0. */
  batch(step: number): Promise<TokenBatch> {
    checkStep(step);
    return this.#queue(async () => {
      if (step < this.#next.step) await this.#goTo(BEGINNING);
      while (this.#next.step < step) await this.#take();
      return assembleBatch(await this.#take(), this.#options.length, this.#options.padId);
    });
  }

  /** The place before the next batch, for a checkpoint. */
  state(): Promise<StreamState> {
    return this.#queue(() => Promise.resolve(this.#next));
  }

  /** Goes to a place that {@linkcode state} gave, of a source with the same stream and options. */
  restore(state: StreamState): Promise<void> {
    for (const value of [state.step, state.epoch, state.item, state.row]) checkStep(value);
    return this.#queue(() => this.#goTo(state));
  }

  /** One line for people and logs. */
  describe(): string {
    const { rows, length, packing, seed, shuffle = true } = this.#options;
    const { shuffleItems = 1000, windowItems = 1000 } = this.#options;
    return `stream, ${rows} x ${length} a batch, packing ${packing} in windows of ${windowItems}, ` +
      (shuffle ? `shuffle buffer of ${shuffleItems} (seed ${seed})` : "in order");
  }

  /** The rows of the next batch. */
  async #take(): Promise<PackedRow[]> {
    this.#rows ??= this.#packedRows(this.#next);
    const taken: PackedRow[] = [];
    try {
      while (taken.length < this.#options.rows) {
        const { value, done } = await this.#rows.next();
        if (done) throw new Error("the stream of rows is endless");
        taken.push(value.row);
        if (taken.length === this.#options.rows) {
          this.#next = { ...value.after, step: this.#next.step + 1 };
        }
      }
    } catch (error) {
      this.#rows = null;
      throw error;
    }
    return taken;
  }

  async #goTo(state: StreamState): Promise<void> {
    await this.#rows?.return(undefined);
    this.#rows = null;
    this.#next = { step: state.step, epoch: state.epoch, item: state.item, row: state.row };
  }

  /** Packed rows of all epochs from a place on, each with the place behind it. */
  async *#packedRows(from: Omit<StreamState, "step">): AsyncGenerator<
    { row: PackedRow; after: Omit<StreamState, "step"> }
  > {
    const { length, packing } = this.#options;
    let skip = from.row;
    for (let epoch = from.epoch, first = from.item;; epoch++, first = 0) {
      let given = 0;
      for await (const { examples, item, size } of this.#windows(epoch, first)) {
        const rows = packExamples(examples, length, packing);
        given += rows.length;
        for (let i = skip; i < rows.length; i++) {
          const last = i === rows.length - 1;
          const after = last ? { epoch, item: item + size, row: 0 } : { epoch, item, row: i + 1 };
          yield { row: rows[i], after };
        }
        skip = 0;
      }
      if (given === 0 && first === 0) {
        throw new InputError(
          "the stream gave no example in a whole epoch: it is empty or all was dropped",
        );
      }
    }
  }

  /** Windows of an epoch from an item on: the examples, the number of the first item and of all items in it. */
  async *#windows(
    epoch: number,
    first: number,
  ): AsyncGenerator<{ examples: TokenExample[]; item: number; size: number }> {
    const { seed, shuffle = true, shuffleItems = 1000, windowItems = 1000 } = this.#options;
    const items = shuffleBuffer(this.#open(), shuffle ? shuffleItems : 1, seed, epoch);
    let examples: TokenExample[] = [];
    let count = 0;
    for await (const item of items) {
      if (count++ < first) continue;
      const example = this.#tokenise(item);
      if (example) examples.push(example);
      if ((count - first) % windowItems === 0) {
        yield { examples, item: count - windowItems, size: windowItems };
        examples = [];
      }
    }
    const rest = Math.max(0, count - first) % windowItems;
    if (rest > 0) yield { examples, item: count - rest, size: rest };
  }

  #queue<R>(run: () => Promise<R>): Promise<R> {
    const result = this.#last.then(run);
    this.#last = result.catch(() => {});
    return result;
  }
}
