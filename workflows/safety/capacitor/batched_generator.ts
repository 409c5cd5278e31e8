/**
 * Replies to any number of prompts, in batches of like length.
 */
import { Generator, type Reply } from "../../../kernels/policy/generate.ts";
import type { Parameters } from "../../../kernels/policy/parameters.ts";
import type { SamplingSettings } from "../../../kernels/sampling/state.ts";

/** Replies made at once unless said otherwise. */
const BATCH = 128;

/** A generator's sizes. */
export interface BatchedGeneratorSizes {
  /** Longest reply in tokens; never more than the context allows. */
  readonly maxNew: number;
  /** Replies made at once; default 128. */
  readonly batch?: number;
}

/** A {@linkcode Generator} without a limit on the number of prompts. */
export class BatchedGenerator {
  readonly #generator: Generator;
  readonly #batch: number;

  /** Makes its cache and records the decoding tape. */
  constructor(parameters: Parameters, { maxNew, batch = BATCH }: BatchedGeneratorSizes) {
    this.#batch = batch;
    this.#generator = new Generator(parameters, {
      batch,
      maxNew: Math.min(maxNew, parameters.config.context - 1),
    });
  }

  /**
   * A reply to each prompt, in their order. A reply depends on its prompt, the settings and its stream alone, but for its length where
   * the longest prompt of its batch leaves less room than `maxNew` in the context.
   * @param streams Random stream of each prompt; its place where absent.
   */
  async generate(
    prompts: readonly (readonly number[])[],
    settings: SamplingSettings,
    streams: readonly number[] = prompts.map((_, i) => i),
  ): Promise<Reply[]> {
    // Prompts are padded to the longest of their batch, so those of like length go together.
    const order = prompts.map((_, i) => i).sort((a, b) =>
      prompts[a].length - prompts[b].length || a - b
    );
    const replies = new Array<Reply>(prompts.length);
    for (let at = 0; at < order.length; at += this.#batch) {
      const rows = order.slice(at, at + this.#batch);
      const batch = await this.#generator.generate(rows.map((i) => prompts[i]), settings, {
        streams: rows.map((i) => streams[i]),
      });
      rows.forEach((i, j) => replies[i] = batch[j]);
    }
    return replies;
  }

  /** Frees the cache and the tapes. */
  destroy(): void {
    this.#generator.destroy();
  }
}
