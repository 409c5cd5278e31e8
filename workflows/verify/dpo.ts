/**
 * Golden case of preference optimisation (INFANT Eq. 8 and 18): summed log-probabilities under policy and reference, four losses, rewards,
 * and the gradient of the sigmoid loss.
 */
import { z } from "zod";
import type { Gpu } from "../../kernels/gpu/device.ts";
import { persistent, upload } from "../../kernels/gpu/tensor.ts";
import { logProbGather } from "../../kernels/losses/cross_entropy.ts";
import { preference, type PreferenceLoss } from "../../kernels/losses/preference.ts";
import { sequenceSums } from "../../kernels/losses/sequence_sums.ts";
import { loadParameters, type Parameters } from "../../kernels/policy/parameters.ts";
import type { TokenBatch } from "../data/batch.ts";
import { batchOf, type GoldenCase, LABELLED } from "./golden_case.ts";
import { LIMITS } from "./limits.ts";
import { runPass, total } from "./pass.ts";
import { type Check, relativeError } from "./result.ts";

const INPUTS = z.object({
  betas: z.array(z.number().positive()).min(1),
  label_smoothing: z.number().min(0).lt(0.5),
  chosen: LABELLED,
  rejected: LABELLED,
});

/** Losses that a case holds, by the end of their names there. */
const LOSSES = ["sigmoid", "cdpo", "ipo", "hinge"] as const satisfies readonly PreferenceLoss[];

/** Everything a DPO case holds. */
export async function checkDpo(gpu: Gpu, golden: GoldenCase): Promise<Check[]> {
  const inputs = golden.inputs(INPUTS);
  const batch = stacked(batchOf(inputs.chosen), batchOf(inputs.rejected));
  const policy = loadParameters(gpu, await golden.model());
  const frozen = loadParameters(gpu, await golden.model("reference.safetensors"), {
    trainable: false,
  });
  try {
    const reference = await logProbs(frozen, batch);
    const settings = { loss: "sigmoid", dpoBeta: 1, labelSmoothing: 0 } as const;
    const { sums: own } = await run(policy, batch, reference, settings);
    const pairs = own.length / 2;
    const sums = (name: string, got: Float32Array) =>
      check(name, got, golden.tensor(name), LIMITS.forward);
    const checks = [
      sums("policy_chosen_logps", own.subarray(0, pairs)),
      sums("policy_rejected_logps", own.subarray(pairs)),
      sums("ref_chosen_logps", reference.subarray(0, pairs)),
      sums("ref_rejected_logps", reference.subarray(pairs)),
    ];
    for (const beta of inputs.betas) {
      checks.push(...await atBeta(golden, policy, batch, reference, beta, inputs.label_smoothing));
    }
    return checks;
  } finally {
    policy.destroy();
    frozen.destroy();
  }
}

/** Chosen rows, then rejected ones. */
function stacked(chosen: TokenBatch, rejected: TokenBatch): TokenBatch {
  const u32 = (key: "ids" | "targets" | "positions" | "starts") =>
    Uint32Array.of(...chosen[key], ...rejected[key]);
  return {
    rows: chosen.rows + rejected.rows,
    length: chosen.length,
    ids: u32("ids"),
    targets: u32("targets"),
    weights: Float32Array.of(...chosen.weights, ...rejected.weights),
    positions: u32("positions"),
    starts: u32("starts"),
  };
}

/** Where each row is a sequence of its own. */
function rowsAsSequences(gpu: Gpu, { rows, length }: TokenBatch) {
  const segments = persistent(gpu, "segments", [2 * rows], "u32");
  const sequenceOf = persistent(gpu, "sequences", [rows * length], "u32");
  upload(
    gpu,
    segments,
    Uint32Array.from({ length: 2 * rows }, (_, i) => length * ((i + 1) >> 1)),
  );
  upload(
    gpu,
    sequenceOf,
    Uint32Array.from({ length: rows * length }, (_, t) => Math.floor(t / length)),
  );
  return { segments, sequenceOf };
}

/** Summed log-probabilities of all rows under a frozen policy. */
async function logProbs(policy: Parameters, batch: TokenBatch): Promise<Float32Array> {
  const places = rowsAsSequences(policy.gpu, batch);
  const { values: [sums] } = await runPass(policy, batch, ({ tape, logits, tokens }) => [
    sequenceSums(tape, logProbGather(tape, logits, tokens.targets), places),
  ]);
  return sums;
}

/** Losses, rewards, margins and accuracy at one beta. */
async function atBeta(
  golden: GoldenCase,
  policy: Parameters,
  batch: TokenBatch,
  reference: Float32Array,
  beta: number,
  labelSmoothing: number,
): Promise<Check[]> {
  const name = `beta_${`${beta}`.replace(".", "_")}`;
  const pairs = reference.length / 2;
  const numbers = golden.record(name);
  const checks: Check[] = [];
  for (const loss of LOSSES) {
    const found = await run(policy, batch, reference, { loss, dpoBeta: beta, labelSmoothing });
    checks.push(
      check(
        `${name}.loss_${loss}`,
        found.losses,
        golden.tensor(`${name}.loss_${loss}`),
        LIMITS.difference,
      ),
      check(
        `${name}.loss_${loss}, mean`,
        [total(found.losses) / pairs],
        [numbers[`loss_${loss}`]],
        LIMITS.difference,
      ),
    );
    if (loss !== "sigmoid") continue;
    const [, accuracy, chosen, rejected] = found.metrics;
    const rewards = found.sums.map((x, i) => beta * (x - reference[i]));
    const margins = rewards.slice(0, pairs).map((x, p) => x - rewards[p + pairs]);
    const mean = (what: string, got: number) =>
      check(`${name}.${what}`, [got], [numbers[what]], LIMITS.difference);
    const each = (what: string, got: Float32Array) =>
      check(`${name}.${what}`, got, golden.tensor(`${name}.${what}`), LIMITS.difference);
    checks.push(
      each("chosen_rewards", rewards.subarray(0, pairs)),
      each("rejected_rewards", rewards.subarray(pairs)),
      each("margins", margins),
      mean("chosen_reward", chosen),
      mean("rejected_reward", rejected),
      mean("margin", chosen - rejected),
      { ...mean("accuracy", accuracy), limit: LIMITS.exact },
      golden.compareParameters(
        `grad_${name}`,
        policy.config,
        found.gradients,
        LIMITS.gradient,
      ),
    );
  }
  return checks;
}

async function run(
  policy: Parameters,
  batch: TokenBatch,
  reference: Float32Array,
  settings: { loss: PreferenceLoss; dpoBeta: number; labelSmoothing: number },
) {
  const { gpu } = policy;
  const pairs = reference.length / 2;
  const places = rowsAsSequences(gpu, batch);
  const vector = (name: string, values: ArrayLike<number>) => {
    const tensor = persistent(gpu, name, [values.length]);
    upload(gpu, tensor, Float32Array.from(values));
    return tensor;
  };
  const scored = Array.from(
    { length: batch.rows },
    (_, row) => total(batch.weights.subarray(row * batch.length, (row + 1) * batch.length)),
  );
  const metrics = vector("metrics", new Float32Array(8));
  const { values: [losses, sums, read], gradients } = await runPass(
    policy,
    batch,
    ({ tape, logits, tokens }) => {
      const sums = sequenceSums(tape, logProbGather(tape, logits, tokens.targets), places);
      const inputs = {
        sums,
        reference: vector("reference", reference),
        lengths: vector("lengths", scored),
        weights: vector("weights", new Float32Array(pairs).fill(1 / pairs)),
      };
      return [preference(tape, inputs, settings, metrics, 0), sums, metrics];
    },
  );
  return { losses: losses.map((x) => x * pairs), sums, metrics: read, gradients: gradients! };
}

function check(
  quantity: string,
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  limit: number,
): Check {
  return { quantity, worst: relativeError(got, want), limit };
}
