/**
 * How far a policy has moved from another on batches that training never sees: KL(policy || prior) per token (INFANT Eq. 60).
 */
import { InputError } from "../../kernels/errors.ts";
import { readFloats } from "../../kernels/gpu/readback.ts";
import { Tape } from "../../kernels/gpu/tape.ts";
import { persistent } from "../../kernels/gpu/tensor.ts";
import { klDivergence } from "../../kernels/losses/kl_divergence.ts";
import { TokenTensors } from "../../kernels/policy/batch.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import { languageModelHead, transformer } from "../../kernels/policy/transformer.ts";
import { sumInto } from "../../kernels/reduce/sum.ts";
import { ropeTable } from "../../kernels/rope/rope.ts";
import type { TokenBatch } from "../data/batch.ts";
import { totalWeight } from "../data/pack/assemble.ts";

/**
 * KL(policy || prior) per token of weight 1, in nats, over batches of one shape; null when there are none. One read-back.
 * @throws {InputError} when the policies have different vocabularies, or not the same GPU.
 */
export async function heldOutKl(
  policy: Parameters,
  prior: Parameters,
  batches: readonly TokenBatch[],
): Promise<number | null> {
  const { gpu, config } = policy;
  if (prior.gpu !== gpu || prior.config.vocabSize !== config.vocabSize) {
    throw new InputError("heldOutKl: both policies must have one vocabulary and lie on one GPU");
  }
  const total = batches.reduce((sum, batch) => sum + totalWeight(batch), 0);
  if (!(total > 0)) return null;
  const { rows, length } = batches[0];
  const tokens = new TokenTensors(gpu, config, rows, length);
  const divergence = persistent(gpu, "held-out KL", [4]);
  const ropes = [policy, prior].map(({ config }) =>
    config.positions === "rope" ? ropeTable(gpu, config) : null
  );
  const tape = new Tape(gpu, "held-out KL");
  try {
    tape.noGrad(() => {
      const [own, other] = [policy, prior].map((one, i) => {
        const hidden = transformer(tape, one, tokens, { rope: ropes[i] });
        return languageModelHead(tape, one, hidden);
      });
      const value = klDivergence(tape, own, other, tokens.weights, "policy_prior");
      sumInto(tape, value, divergence, 0, { accumulate: true });
    });
    for (const batch of batches) {
      tokens.upload(batch, { weightScale: 1 / total });
      tape.run();
    }
    return (await readFloats(gpu, divergence))[0];
  } finally {
    tape.destroy();
    tokens.destroy();
    divergence.place.buffer!.destroy();
    ropes.forEach((rope) => rope?.place.buffer?.destroy());
  }
}
