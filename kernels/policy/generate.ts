/**
 * Generation: a batch of replies for one read-back, or a few where replies may end early.
 *
 * Two tapes over one key/value cache: `prefill` reads the prompts (padded on the left, so that all rows end together) and
 * samples the first token; `decode` feeds the newest token back and samples the next, and is replayed once per token.
 * Sampling, stopping and all counters live on the GPU; the host reads the finished replies.
 */
import { createKvCache, destroyKvCache, type KvCache } from "../attention/cache.ts";
import { embedding } from "../embedding/embedding.ts";
import { InputError } from "../errors.ts";
import { readTensors } from "../gpu/readback.ts";
import { Tape } from "../gpu/tape.ts";
import { persistent, type Tensor, upload } from "../gpu/tensor.ts";
import { ropeTable } from "../rope/rope.ts";
import { sampleTokens } from "../sampling/sampling.ts";
import {
  createSamplingState,
  destroySamplingState,
  type SamplingSettings,
  type SamplingState,
  startSampling,
} from "../sampling/state.ts";
import { parameterCount } from "./config.ts";
import type { Parameters } from "./parameters.ts";
import { headStride } from "./storage.ts";
import { logitsOf, type PolicyInput, residualStream } from "./transformer.ts";

/** Sizes of a generator; they decide its memory. */
export interface GeneratorSizes {
  /** Replies made at once. */
  readonly batch: number;
  /** Longest reply in tokens. */
  readonly maxNew: number;
  /** Longest prompt plus reply; default the policy's context. */
  readonly capacity?: number;
  /**
   * Whether it is looked now and then if all replies have met a stop token, at the price of a read-back each time. Default: where
   * decoding a token costs more than that ({@linkcode COSTLY_STEP}).
   */
  readonly endsEarly?: boolean;
}

/** A reply: its tokens (with the stop token that ended it) and their log-probabilities under the policy. */
export interface Reply {
  /** Token ids, with the stop token where there was one. */
  readonly ids: number[];
  /** log pi of each token. */
  readonly logProbs: number[];
}

/**
 * Parameters times rows from which it pays to look: on two llvmpipe cores a token of the nursery's policy (0.28M) takes 2.5 ms for one
 * row, 3.8 ms for 32 and 6.7 ms for 128, a read-back 10 ms. The replies to 4,260 dialogues of its exam, of 2 to 21 tokens where 24 are
 * allowed, took 8.5 instead of 11.2 s (2026-12-01).
 */
export const COSTLY_STEP = 2 ** 23;

/**
 * Tokens after which the first look is; each further one comes when there are half as many tokens again, so that beyond the
 * first look what is decoded for nothing stays within half of what was needed, and looks are few.
 */
const FIRST_LOOK = 8;

/** Prompt lengths are rounded up to this, so that few prefill tapes are recorded. */
const PREFILL_STEP = 8;

interface Prefill {
  readonly tape: Tape;
  readonly length: number;
  readonly ids: Tensor;
  readonly positions: Tensor;
  readonly lastRows: Tensor;
}

/**
 * Generates replies with one policy; owns a cache and tapes.
 *
 * @example
 * ```ts
 * import {
 *   Generator,
 *   initialWeights,
 *   llamaConfig,
 *   loadParameters,
 *   openGpu,
 * } from "@infant/toolkit/kernels";
 *
 * const gpu = await openGpu();
 * const config = llamaConfig({ vocabSize: 32, context: 16, layers: 1, width: 16, heads: 2 });
 * const policy = loadParameters(gpu, initialWeights(config, 1), { trainable: false });
 * const generator = new Generator(policy, { batch: 2, maxNew: 4 });
 * const replies = await generator.generate([[1, 5, 7], [1, 9]], {
 *   temperature: 0.8,
 *   topP: 0.95,
 *   seed: 1,
 *   padToken: 0,
 * });
 * console.log(replies.map(({ ids }) => ids)); // two replies of four tokens, one read-back
 * gpu.close();
 * ```
 */
export class Generator {
  readonly #parameters: Parameters;
  readonly #sizes: Required<GeneratorSizes>;
  readonly #cache: KvCache;
  readonly #state: SamplingState;
  readonly #rope: Tensor | null;
  /** Padding tokens on the left of each row. */
  readonly #starts: Tensor;
  /** Cache index 0, where a prompt begins. */
  readonly #origin: Tensor;
  readonly #decode: Tape;
  readonly #prefills = new Map<number, Prefill>();

  /**
   * Records the decoding tape and makes its cache.
   * @throws {InputError} when the capacity exceeds the context.
   */
  constructor(parameters: Parameters, sizes: GeneratorSizes) {
    const { gpu, config } = parameters;
    const capacity = sizes.capacity ?? config.context;
    if (capacity > config.context) {
      throw new InputError(
        `generation of ${capacity} tokens is more than the policy's context of ${config.context}`,
      );
    }
    const { batch, maxNew, endsEarly = parameterCount(config) * batch >= COSTLY_STEP } = sizes;
    this.#parameters = parameters;
    this.#sizes = { batch, maxNew, capacity, endsEarly };
    // Rounding a prompt's length up to PREFILL_STEP may use a few places of the cache beyond the capacity.
    const places = capacity + PREFILL_STEP;
    this.#cache = createKvCache(gpu, config, headStride(config), batch, places);
    this.#state = createSamplingState(gpu, { batch, vocab: config.vocabSize, maxNew });
    this.#rope = config.positions === "rope" ? ropeTable(gpu, config) : null;
    this.#starts = persistent(gpu, "starts", [batch], "u32");
    this.#origin = persistent(gpu, "origin", [4], "u32");
    this.#decode = new Tape(gpu, "decode", { refreshed: true });
    const { ids, positions, cursor } = this.#state;
    const input = { rows: batch, length: 1, ids, positions, starts: this.#starts };
    this.#record(this.#decode, input, cursor, null);
  }

  #record(tape: Tape, input: PolicyInput, cursor: Tensor, lastRows: Tensor | null): void {
    tape.noGrad(() => {
      const cache = { kv: this.#cache, cursor };
      const x = residualStream(tape, this.#parameters, input, { rope: this.#rope, cache });
      const last = lastRows ? embedding(tape, { table: x, indices: lastRows }, null) : x;
      sampleTokens(tape, logitsOf(tape, this.#parameters, last), this.#state);
    });
  }

  #prefill(length: number): Prefill {
    const known = this.#prefills.get(length);
    if (known) return known;
    const { gpu } = this.#parameters;
    const { batch } = this.#sizes;
    const make = (name: string, count: number) => persistent(gpu, name, [count], "u32");
    const tape = new Tape(gpu, `prefill ${length}`);
    const ids = make("prompt ids", batch * length);
    const positions = make("prompt positions", batch * length);
    const lastRows = make("last rows", batch);
    upload(gpu, lastRows, Uint32Array.from({ length: batch }, (_, b) => (b + 1) * length - 1));
    const input = { rows: batch, length, ids, positions, starts: this.#starts };
    this.#record(tape, input, this.#origin, lastRows);
    const prefill = { tape, length, ids, positions, lastRows };
    this.#prefills.set(length, prefill);
    return prefill;
  }

  /** Kernel launches per generated token. */
  get dispatchesPerToken(): number {
    return this.#decode.dispatchCount;
  }

  /**
   * Replies to up to `batch` prompts of token ids. One read-back; a few where there are stop tokens and it `endsEarly`.
   * Replies are at most `maxNew` tokens long (never more than the generator's), and end where the longest prompt of the
   * batch plus its reply fills the capacity.
   * @param streams random stream of each row (default: its place), so that a reply does not depend on its batch.
   * @throws {InputError} when a prompt is empty, holds an unknown id or leaves no room for a reply, or a
   * setting is out of range.
   */
  async generate(
    prompts: readonly (readonly number[])[],
    settings: SamplingSettings,
    options: { readonly maxNew?: number; readonly streams?: readonly number[] } = {},
  ): Promise<Reply[]> {
    const { gpu } = this.#parameters;
    const { capacity, batch } = this.#sizes;
    const wanted = options.maxNew ?? this.#sizes.maxNew;
    if (!Number.isSafeInteger(wanted) || wanted < 1) {
      throw new InputError(`maxNew must be a whole number of at least 1, found ${wanted}`);
    }
    // At least 1: startSampling refuses empty prompts, and no prompts, in its own words.
    const longest = Math.max(1, ...prompts.map((prompt) => prompt.length));
    const maxNew = Math.min(wanted, this.#sizes.maxNew, capacity - longest);
    if (maxNew < 1) {
      throw new InputError(
        `a prompt of ${longest} tokens leaves no room for a reply in ${capacity} tokens: shorten it`,
      );
    }
    const length = Math.ceil(longest / PREFILL_STEP) * PREFILL_STEP;
    const prefill = this.#prefill(length);
    const ids = new Uint32Array(batch * length);
    const positions = new Uint32Array(batch * length);
    const starts = new Uint32Array(batch);
    prompts.forEach((prompt, row) => {
      starts[row] = length - prompt.length;
      prompt.forEach((id, i) => {
        ids[row * length + starts[row] + i] = id;
        positions[row * length + starts[row] + i] = i;
      });
    });
    startSampling(gpu, this.#state, {
      settings,
      prompts,
      cacheIndex: length - 1,
      streams: options.streams,
    });
    upload(gpu, prefill.ids, ids);
    upload(gpu, prefill.positions, positions);
    upload(gpu, this.#starts, starts);
    // The parameters may have learned since the last replies.
    prefill.tape.run((encoder) => this.#decode.refresh(encoder));
    const { stopTokens = [] } = settings;
    const ended = ({ ids }: Reply) => stopTokens.includes(ids.at(-1)!);
    let made = 1;
    let look = stopTokens.length > 0 && this.#sizes.endsEarly ? FIRST_LOOK : maxNew;
    for (;; look = Math.ceil(1.5 * look)) {
      for (; made < Math.min(look, maxNew); made++) this.#decode.run();
      const replies = await this.#read(prompts.length, made, stopTokens);
      if (made === maxNew || replies.every(ended)) return replies;
    }
  }

  /** Replies as far as they are made. */
  async #read(
    rows: number,
    made: number,
    stopTokens: readonly number[],
  ): Promise<Reply[]> {
    const { out, logProbs } = this.#state;
    const [tokens, values] = await readTensors(this.#parameters.gpu, [out, logProbs]);
    return Array.from({ length: rows }, (_, row) => {
      const at = row * this.#sizes.maxNew;
      const ids = [...tokens.subarray(at, at + made)];
      const stop = ids.findIndex((id) => stopTokens.includes(id));
      const end = stop < 0 ? made : stop + 1;
      return { ids: ids.slice(0, end), logProbs: [...values.subarray(at, at + end)] };
    });
  }

  /** Time per kernel of one more decoding step after {@linkcode Generator.generate}, as a table. */
  async profile(): Promise<string> {
    return String(await this.#decode.profile());
  }

  /** Frees the cache, the tapes and the state. */
  destroy(): void {
    this.#decode.destroy();
    for (const { tape, ids, positions, lastRows } of this.#prefills.values()) {
      tape.destroy();
      for (const tensor of [ids, positions, lastRows]) tensor.place.buffer!.destroy();
    }
    destroyKvCache(this.#cache);
    destroySamplingState(this.#state);
    for (const tensor of [this.#starts, this.#origin, this.#rope]) tensor?.place.buffer?.destroy();
  }
}
