/**
 * What a trainer asks for data: batch number `step`, which is always the same batch.
 *
 * Because a batch depends on (seed, step) alone, resuming needs no more than the step; a data order is not
 * part of a checkpoint.
 */
import type { TokenBatch } from "../batch.ts";

/** An endless, numbered supply of batches of one size. */
export interface BatchSource<B = TokenBatch> {
  /** Places for tokens in a batch (rows x length, of both replies for pairs), padding included. */
  readonly tokensPerBatch: number;
  /** Batch number `step`, from 0. The same step is always the same batch. */
  batch(step: number): B | Promise<B>;
  /** One line for people and logs. */
  describe(): string;
}

/** Two batches whose rows with one number are the two replies to one prompt. */
export interface PairBatch {
  /** The preferred replies. */
  readonly chosen: TokenBatch;
  /** The others. */
  readonly rejected: TokenBatch;
}
