/** A tiny policy on the GPU, and its logits one sequence at a time: what the batched code is compared with. */
import { readFloats } from "../../../../kernels/gpu/readback.ts";
import { Tape } from "../../../../kernels/gpu/tape.ts";
import { TokenTensors } from "../../../../kernels/policy/batch.ts";
import {
  llamaConfig,
  type PolicyConfig,
  type PolicyWeights,
} from "../../../../kernels/policy/config.ts";
import { initialWeights } from "../../../../kernels/policy/init.ts";
import { loadParameters, type Parameters } from "../../../../kernels/policy/parameters.ts";
import { languageModelHead, transformer } from "../../../../kernels/policy/transformer.ts";
import { ropeTable } from "../../../../kernels/rope/rope.ts";
import { padBatch } from "../../../../workflows/data/pack/assemble.ts";
import { testGpu } from "../../../kernels/harness.ts";

/** Untied, so that a change of one embedding changes nothing but what the policy reads. */
export const TINY: PolicyConfig = llamaConfig({
  vocabSize: 24,
  context: 20,
  layers: 2,
  width: 16,
  heads: 2,
  mlpWidth: 24,
  tiedHead: false,
});

/** Random weights, wide enough that contexts matter. */
export function tinyWeights(seed = 5): PolicyWeights {
  return initialWeights(TINY, seed, 0.4);
}

/** On the test device. */
export async function policyOf(weights: PolicyWeights): Promise<Parameters> {
  return loadParameters(await testGpu(), weights, { trainable: false });
}

/** log softmax of the logits behind each token of one sequence. */
export async function logProbs(
  parameters: Parameters,
  ids: readonly number[],
): Promise<Float64Array[]> {
  const { gpu, config } = parameters;
  const tokens = new TokenTensors(gpu, config, 1, ids.length);
  tokens.upload(padBatch([{ ids, weights: ids.map(() => 0) }], ids.length));
  const rope = ropeTable(gpu, config);
  const tape = new Tape(gpu, "one sequence");
  const logits = tape.noGrad(() =>
    languageModelHead(tape, parameters, transformer(tape, parameters, tokens, { rope }))
  );
  tape.keep(logits);
  tape.run();
  const values = await readFloats(gpu, logits);
  tape.destroy();
  tokens.destroy();
  rope.place.buffer!.destroy();
  return ids.map((_, i) => {
    const row = Float64Array.from(
      values.subarray(i * config.vocabSize, (i + 1) * config.vocabSize),
    );
    const most = Math.max(...row);
    const total = most + Math.log(row.reduce((sum, x) => sum + Math.exp(x - most), 0));
    return row.map((x) => x - total);
  });
}

/** -log pi(reply | context), nats, from one sequence alone. */
export async function replyLoss(
  parameters: Parameters,
  context: readonly number[],
  reply: readonly number[],
): Promise<number> {
  const rows = await logProbs(parameters, [...context, ...reply]);
  return reply.reduce((sum, id, t) => sum - rows[context.length - 1 + t][id], 0);
}
