/**
 * The loss on batches that training never sees.
 */
import { readFloats } from "../../kernels/gpu/readback.ts";
import { Tape } from "../../kernels/gpu/tape.ts";
import { persistent } from "../../kernels/gpu/tensor.ts";
import { crossEntropy } from "../../kernels/losses/cross_entropy.ts";
import { TokenTensors } from "../../kernels/policy/batch.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import { languageModelHead, transformer } from "../../kernels/policy/transformer.ts";
import { sumInto } from "../../kernels/reduce/sum.ts";
import { ropeTable } from "../../kernels/rope/rope.ts";
import type { TokenBatch } from "../data/batch.ts";
import { totalWeight } from "../data/pack/assemble.ts";

/**
 * Cross-entropy per token of weight 1 (nats) over batches of one shape; null when there are none. One read-back.
 */
export async function heldOutLoss(
  parameters: Parameters,
  batches: readonly TokenBatch[],
): Promise<number | null> {
  return (await heldOutScores(parameters, batches))?.loss ?? null;
}

/** How well tokens that were not trained on are predicted. */
export interface HeldOutScores {
  /** Cross-entropy per token of weight 1, nats. */
  readonly loss: number;
  /** Scored tokens that were the most likely ones. */
  readonly correct: number;
  /** Tokens with a weight above 0. */
  readonly scored: number;
}

/** Loss and right predictions over batches of one shape; null when there are none. One read-back. */
export async function heldOutScores(
  parameters: Parameters,
  batches: readonly TokenBatch[],
): Promise<HeldOutScores | null> {
  const total = batches.reduce((sum, batch) => sum + totalWeight(batch), 0);
  if (!(total > 0)) return null;
  const { gpu, config } = parameters;
  const { rows, length } = batches[0];
  const tokens = new TokenTensors(gpu, config, rows, length);
  const loss = persistent(gpu, "held-out loss", [4]);
  const rope = config.positions === "rope" ? ropeTable(gpu, config) : null;
  const tape = new Tape(gpu, "held-out loss");
  try {
    tape.noGrad(() => {
      const hidden = transformer(tape, parameters, tokens, { rope });
      const logits = languageModelHead(tape, parameters, hidden);
      const { value, correct } = crossEntropy(tape, logits, tokens.targets, tokens.weights);
      sumInto(tape, value, loss, 0, { accumulate: true });
      sumInto(tape, correct, loss, 1, { accumulate: true });
    });
    for (const batch of batches) {
      tokens.upload(batch, { weightScale: 1 / total });
      tape.run();
    }
    const [nats, correct] = await readFloats(gpu, loss);
    const scored = batches.reduce((n, { weights }) => n + weights.filter((w) => w > 0).length, 0);
    return { loss: nats, correct, scored };
  } finally {
    tape.destroy();
    tokens.destroy();
    loss.place.buffer!.destroy();
    rope?.place.buffer?.destroy();
  }
}
