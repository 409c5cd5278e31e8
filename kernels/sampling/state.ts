/**
 * What a batch of replies remembers between steps, all of it on the GPU: one tape is replayed per token, and the host reads once at
 * the end.
 */
import { InputError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { persistent, type Tensor, upload } from "../gpu/tensor.ts";

/** Sizes of a batch; they belong to the tape. */
export interface SamplingSizes {
  /** Replies made at once. */
  readonly batch: number;
  /** Tokens the policy knows; below 2^24. */
  readonly vocab: number;
  /** Most tokens a reply can have. */
  readonly maxNew: number;
}

/** How tokens are chosen; may change from batch to batch without a new tape. */
export interface SamplingSettings {
  /** 0 chooses the most likely token (the first of equals). */
  readonly temperature: number;
  /** Keep the k most likely tokens and ties with the last; absent or 0: all. */
  readonly topK?: number;
  /** Keep the fewest tokens whose probability reaches p, in (0, 1]; absent or 1: all. */
  readonly topP?: number;
  /** Logits of tokens that occurred are divided by this (multiplied if negative); absent or 1: not. */
  readonly repetitionPenalty?: number;
  /** u32; with a row's stream and the step it fixes every draw. */
  readonly seed: number;
  /** What a finished reply is filled with. */
  readonly padToken: number;
  /** A reply ends with the first of these (which it contains); at most 8. */
  readonly stopTokens?: readonly number[];
}

/** Where a batch starts. */
export interface SamplingStart {
  /** How tokens are chosen. */
  readonly settings: SamplingSettings;
  /** Prompt ids per row, for the repetition penalty; rows of the batch beyond these count as finished. */
  readonly prompts: readonly ArrayLike<number>[];
  /** Position of the last prompt token per row; prompt length - 1 where absent. */
  readonly positions?: ArrayLike<number>;
  /** Cache index of the last prompt token, the same for all rows; longest prompt length - 1 where absent. */
  readonly cacheIndex?: number;
  /** Random stream per row, so that a reply does not depend on its place in a batch; the row where absent. */
  readonly streams?: ArrayLike<number>;
}

/** The tensors of a batch. After each step ids, positions and cursor[0] describe the token to feed next. */
export interface SamplingState extends SamplingSizes {
  /** u32 [batch]: the newest token of each row, the policy's next input. */
  readonly ids: Tensor;
  /** u32 [batch]: the newest token's position in its own sequence. */
  readonly positions: Tensor;
  /** u32 [4]: cache index of the newest token, steps done, rows still live, 0. */
  readonly cursor: Tensor;
  /** u32 [batch]: 1 for rows that ended. */
  readonly done: Tensor;
  /** u32 [batch, maxNew]: the replies, filled with the pad token. */
  readonly out: Tensor;
  /** f32 [batch, maxNew]: log-probability of each token under the policy as it is (no temperature, no penalty); 0 after the end. */
  readonly logProbs: Tensor;
  /** u32 [batch, ceil(vocab / 32)]: one bit per token that occurred in the row. */
  readonly seen: Tensor;
  /** u32 [batch]. */
  readonly streams: Tensor;
  /** u32 [16], see settings.wgsl. */
  readonly settings: Tensor;
}

const MOST_STOPS = 8;

/**
 * Makes the tensors for batches of one size.
 * @throws {InputError} when vocab is 2^24 or more, or a size is no positive whole number.
 */
export function createSamplingState(gpu: Gpu, sizes: SamplingSizes): SamplingState {
  const { batch, vocab, maxNew } = sizes;
  if (vocab >= 2 ** 24) throw new InputError(`sampling: vocab must be below 2^24, found ${vocab}`);
  const make = (name: string, ...shape: number[]) =>
    persistent(gpu, `sampling.${name}`, shape, "u32");
  return {
    batch,
    vocab,
    maxNew,
    ids: make("ids", batch),
    positions: make("positions", batch),
    cursor: make("cursor", 4),
    done: make("done", batch),
    out: make("out", batch, maxNew),
    logProbs: persistent(gpu, "sampling.log_probs", [batch, maxNew], "f32"),
    seen: make("seen", batch, Math.ceil(vocab / 32)),
    streams: make("streams", batch),
    settings: make("settings", 16),
  };
}

/** Frees the tensors. */
export function destroySamplingState(state: SamplingState): void {
  const { ids, positions, cursor, done, out, logProbs, seen, streams, settings } = state;
  for (const tensor of [ids, positions, cursor, done, out, logProbs, seen, streams, settings]) {
    tensor.place.buffer?.destroy();
  }
}

/**
 * Writes everything a new batch needs; queued before whatever is submitted next.
 * @throws {InputError} naming the setting or prompt that cannot be right.
 */
export function startSampling(gpu: Gpu, state: SamplingState, start: SamplingStart): void {
  const { batch, vocab, maxNew } = state;
  const { prompts, settings } = start;
  if (prompts.length < 1 || prompts.length > batch) {
    throw new InputError(`sampling: expected 1 to ${batch} prompts, found ${prompts.length}`);
  }
  const rows = Array.from({ length: batch }, (_, row) => row);
  const lengths = rows.map((row) => prompts[row]?.length ?? 1);
  if (lengths.includes(0)) {
    throw new InputError(`sampling: prompt ${lengths.indexOf(0)} has no tokens`);
  }
  const fill = (tensor: Tensor, value: (row: number) => number) =>
    upload(gpu, tensor, Uint32Array.from(rows, value));
  upload(gpu, state.settings, packSettings(settings, vocab));
  upload(gpu, state.seen, seenBits(state, prompts));
  fill(state.ids, () => settings.padToken);
  fill(state.positions, (row) => start.positions?.[row] ?? lengths[row] - 1);
  fill(state.done, (row) => Number(row >= prompts.length));
  fill(state.streams, (row) => start.streams?.[row] ?? row);
  const cacheIndex = start.cacheIndex ?? Math.max(...lengths) - 1;
  upload(gpu, state.cursor, Uint32Array.of(cacheIndex, 0, prompts.length, 0));
  upload(gpu, state.out, new Uint32Array(batch * maxNew).fill(settings.padToken));
  upload(gpu, state.logProbs, new Float32Array(batch * maxNew));
}

function seenBits(state: SamplingState, prompts: SamplingStart["prompts"]): Uint32Array {
  const { vocab } = state;
  const words = state.seen.columns;
  const bits = new Uint32Array(state.batch * words);
  prompts.forEach((prompt, row) => {
    for (let i = 0; i < prompt.length; i++) {
      const id = prompt[i];
      if (!(Number.isInteger(id) && id >= 0 && id < vocab)) {
        throw new InputError(`sampling: prompt ${row} has id ${id}, expected 0 to ${vocab - 1}`);
      }
      bits[row * words + (id >> 5)] |= 1 << (id & 31);
    }
  });
  return bits;
}

/** Settings as settings.wgsl lays them out. */
function packSettings(settings: SamplingSettings, vocab: number): Uint32Array {
  const {
    temperature,
    topK = 0,
    topP = 1,
    repetitionPenalty = 1,
    seed,
    padToken,
    stopTokens = [],
  } = settings;
  const check = (ok: boolean, name: string, expected: string, found: unknown) => {
    if (!ok) throw new InputError(`sampling: ${name} must be ${expected}, found ${found}`);
  };
  const isU32 = (n: number) => Number.isInteger(n) && n >= 0 && n < 2 ** 32;
  check(temperature >= 0 && temperature < Infinity, "temperature", "at least 0", temperature);
  check(isU32(topK), "top-k", "a whole number of at least 0", topK);
  check(topP > 0 && topP <= 1, "top-p", "in (0, 1]", topP);
  const penalty = repetitionPenalty;
  check(penalty > 0 && penalty < Infinity, "repetition penalty", "above 0", penalty);
  check(isU32(seed), "seed", "a whole number below 2^32", seed);
  check(isU32(padToken) && padToken < vocab, "pad token", `0 to ${vocab - 1}`, padToken);
  check(stopTokens.length <= MOST_STOPS, "stop tokens", `at most ${MOST_STOPS}`, stopTokens.length);
  for (const token of stopTokens) {
    check(isU32(token) && token < vocab, "a stop token", `0 to ${vocab - 1}`, token);
  }
  const packed = new Uint32Array(16);
  const floats = new Float32Array(packed.buffer);
  floats[0] = temperature;
  packed[1] = topK;
  floats[2] = topP;
  floats[3] = repetitionPenalty;
  packed[4] = seed;
  packed[5] = padToken;
  packed[6] = stopTokens.length;
  packed.set(stopTokens, 8);
  return packed;
}
