/**
 * Golden case of a low-rank adapter: logits with and without it, gradients of its factors, merged
 * weights.
 */
import type { Gpu } from "../../kernels/gpu/device.ts";
import { crossEntropy } from "../../kernels/losses/cross_entropy.ts";
import { loadParameters, type ParameterOptions } from "../../kernels/policy/parameters.ts";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import type { TokenBatch } from "../data/batch.ts";
import { toHuggingFace } from "../model_files/layouts.ts";
import { type LoraAdapter, mergeLora } from "../model_files/lora.ts";
import { readAdapter } from "../model_files/peft.ts";
import { adapterFrom, adapterTensors, loraForPolicy } from "../train/lora.ts";
import { batchOf, type GoldenCase, LABELLED, type Labelled, maskedLogits } from "./golden_case.ts";
import { LIMITS } from "./limits.ts";
import { type Pass, runPass, total } from "./pass.ts";
import { type Check, groupCheck, relativeError } from "./result.ts";

const ADAPTER = "adapter.safetensors";

/** Everything an adapter's case holds. */
export async function checkLora(gpu: Gpu, golden: GoldenCase): Promise<Check[]> {
  const inputs = golden.inputs(LABELLED);
  const batch = batchOf(inputs);
  const weights = await golden.model();
  const adapter = await readAdapter(golden.folder, weights.config, ADAPTER);
  const lora = loraForPolicy(adapter);
  const merged = mergeLora(weights, adapter);
  const compare = (pass: Pass, logits: string, loss: string, how = "") =>
    logitsAndLoss(golden, inputs, weights.config.vocabSize, pass, [logits, loss], how);

  const base = await lossOf(gpu, weights, batch, { trainable: false });
  const adapted = await lossOf(gpu, weights, batch, { lora }, adapterTensors(adapter));
  const folded = await lossOf(gpu, merged, batch, { trainable: false });
  return [
    ...compare(base, "base_logits", "base_loss"),
    ...compare(adapted, "logits", "loss"),
    gradients(golden, adapterFrom(adapter, adapted.gradients!)),
    mergedWeights(golden, merged, adapter),
    ...compare(folded, "logits", "loss", ", merged"),
  ];
}

async function lossOf(
  gpu: Gpu,
  weights: PolicyWeights,
  batch: TokenBatch,
  options: ParameterOptions,
  more: ReadonlyMap<string, Float32Array> = new Map(),
): Promise<Pass> {
  const parameters = loadParameters(gpu, weights, options);
  try {
    parameters.load(more);
    return await runPass(
      parameters,
      batch,
      ({ tape, logits, tokens }) => [
        crossEntropy(tape, logits, tokens.targets, tokens.weights).value,
      ],
    );
  } finally {
    parameters.destroy();
  }
}

function logitsAndLoss(
  golden: GoldenCase,
  inputs: Labelled,
  vocab: number,
  { logits, values }: Pass,
  [logitsName, lossName]: readonly [string, string],
  how: string,
): Check[] {
  return [
    {
      quantity: `${logitsName}${how}`,
      worst: relativeError(maskedLogits(logits, inputs, vocab), golden.tensor(logitsName)),
      limit: LIMITS.forward,
    },
    {
      quantity: `${lossName}${how}`,
      worst: relativeError([total(values[0])], [golden.number(lossName)]),
      limit: LIMITS.forward,
    },
  ];
}

function gradients(golden: GoldenCase, adapter: LoraAdapter): Check {
  const errors = adapter.targets.flatMap(({ module, A, B }) =>
    Object.entries({ A, B }).map(([side, got]) => {
      const name = `${module.hfModule}.lora_${side}.weight`;
      return [name, relativeError(got, golden.tensor(`grad.base_model.model.${name}`))] as const;
    })
  );
  return groupCheck(`grad (${errors.length} tensors)`, LIMITS.gradient, errors);
}

/** Of the adapted modules only; the others stay as they were. */
function mergedWeights(golden: GoldenCase, merged: PolicyWeights, adapter: LoraAdapter): Check {
  const adapted = new Set(adapter.targets.map(({ module }) => `${module.hfModule}.weight`));
  const errors = toHuggingFace(merged.config, merged.tensors)
    .filter(({ name }) => adapted.has(name))
    .map(({ name, data }) => [name, relativeError(data, golden.tensor(`merged.${name}`))] as const);
  return groupCheck(`merged (${errors.length} tensors)`, LIMITS.forward, errors);
}
