/**
 * Writes the project's own golden cases from the float64 reference: random policies of every family with awkward
 * sizes, in the format of `README.md`. Run it with `deno run -A tests/golden/make.ts`; the same bytes come out each time.
 *
 * The reference itself is held to PyTorch's numbers by `tests/reference/golden_test.ts`; these cases carry that
 * agreement to shapes PyTorch's cases do not have, and to machines without the shared folder.
 */
import { type Family, parameterSpecs, type PolicyConfig } from "../../kernels/policy/config.ts";
import { configToHuggingFace } from "../../workflows/model_files/hf_config.ts";
import { type NamedTensor, toHuggingFace } from "../../workflows/model_files/layouts.ts";
import { writeSafetensors } from "../../workflows/model_files/safetensors_write.ts";
import { empiricalFisher, ewcPenalty, rowOf, sequenceLogProb } from "../reference/fisher.ts";
import { batchOf, type LabelledInputs, maskedLogits } from "../reference/golden_case.ts";
import { crossEntropy, klPolicyPrior, klPriorPolicy } from "../reference/losses.ts";
import { add, scale } from "../reference/numbers.ts";
import type { Tensors } from "../reference/optimizer.ts";
import { preferenceLoss } from "../reference/preference.ts";
import { randomIntegers, randomNormals } from "../reference/random.ts";
import { randomWeights, tinyConfigs } from "../reference/tiny_policies.ts";
import { generateGreedily, lossAndGradients, train } from "../reference/training.ts";
import { backward, forward, type Policy, toPolicy } from "../reference/transformer.ts";

const root = new URL(".", import.meta.url).pathname;

/** Everything in a case's folder. */
interface Case {
  readonly policy: Policy;
  readonly otherWeights?: Record<string, Policy>;
  readonly inputs: Record<string, unknown>;
  readonly expected: NamedTensor[];
  readonly scalars: Record<string, unknown>;
}

/** A short batch: padding on the right (any ids), an ignored prompt and an ignored token in the middle. */
function labelled(vocab: number, seed: number): LabelledInputs {
  const length = 11;
  const lengths = [11, 7, 9];
  const input_ids = lengths.map((_, row) => [...randomIntegers(length, vocab, seed, row)]);
  const attention_mask = lengths.map((n) => input_ids[0].map((_, i) => i < n ? 1 : 0));
  const ignored = [[], [0, 1, 2], [5]] as number[][];
  const labels = input_ids.map((ids, row) =>
    ids.map((id, i) => attention_mask[row][i] && !ignored[row].includes(i) ? id : -100)
  );
  return { input_ids, attention_mask, labels };
}

/** Values laid out like the parameters, under Hugging Face names with a prefix. */
function named(config: PolicyConfig, tensors: Tensors, prefix = ""): NamedTensor[] {
  const singles = Array.from(tensors, ([name, t]) => [name, Float32Array.from(t)] as const);
  return toHuggingFace(config, new Map(singles)).map((tensor) => ({
    ...tensor,
    name: prefix + tensor.name,
  }));
}

const tensor = (name: string, shape: number[], data: Float64Array): NamedTensor => ({
  name,
  shape,
  data: Float32Array.from(data),
});

/** 0 where the gradient is rounding noise in float32: there AdamW's step is noise too. */
function noiseMasks(config: PolicyConfig, largest: Tensors): NamedTensor[] {
  const masks = Array.from(
    largest,
    ([name, g]) => [name, g.map((value) => value > 0 && value < 3e-7 ? 0 : 1)] as const,
  );
  return named(config, new Map(masks), "final_mask.").filter(({ data }) => data.includes(0));
}

/** Logits, loss, gradients, twenty steps of training and greedy generation. */
function languageModel(family: Family, seed: number): Case {
  const weights = randomWeights(tinyConfigs[family], seed);
  const { config } = weights;
  const policy = toPolicy(weights);
  const inputs = labelled(config.vocabSize, seed + 1);
  const batch = batchOf(inputs);
  const { loss, gradients, activations } = lossAndGradients(policy, batch);
  const logits = maskedLogits(activations.logits, inputs.attention_mask, config.vocabSize);
  const prompt_ids = [...randomIntegers(5, config.vocabSize, seed + 2)];
  const max_new_tokens = 12;
  const generated = generateGreedily(policy, prompt_ids, max_new_tokens);
  refuseNearTies(generated.logits, config.vocabSize);
  const trained = toPolicy(weights);
  const options = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.1 } as const;
  const path = train(trained, batch, { ...options, maxNorm: 1, steps: 20 });
  return {
    policy,
    inputs: {
      ...inputs,
      optimizer: {
        lr: 0.001,
        betas: [0.9, 0.999],
        eps: 1e-8,
        weight_decay: 0.1,
        weight_decay_on: "parameters with 2 dimensions",
        clip_grad_norm: 1,
        steps: 20,
      },
      generation: { prompt_ids, max_new_tokens, do_sample: false },
    },
    expected: [
      tensor("logits", [batch.rows, batch.length, config.vocabSize], logits),
      ...named(config, gradients, "grad."),
      ...named(config, trained.parameters, "final."),
      ...noiseMasks(config, path.largest),
      tensor("decode_logits", [max_new_tokens, config.vocabSize], generated.logits),
    ],
    scalars: {
      loss,
      n_target_tokens: batch.weights.reduce((a, b) => a + b),
      train_losses: path.losses,
      train_grad_norms: path.norms,
      loss_after_training: lossAndGradients(trained, batch).loss,
      generated_ids: generated.ids,
    },
  };
}

/** Greedy tokens must not hang on rounding. */
function refuseNearTies(logits: Float64Array, vocab: number): void {
  for (let start = 0; start < logits.length; start += vocab) {
    const [first, second] = logits.slice(start, start + vocab).sort().reverse();
    if (first - second < 1e-3) throw new Error(`near tie (${first}, ${second}): take another seed`);
  }
}

const small: PolicyConfig = {
  ...tinyConfigs.llama,
  vocabSize: 29,
  layers: 1,
  width: 16,
  heads: 2,
  mlpWidth: 20,
};

/** A policy near another: the same weights plus noise. */
function near(policy: Policy, seed: number, spread: number): Policy {
  const tensors = Array.from(policy.parameters, ([name, t], stream) => {
    const moved = add(t, randomNormals(t.length, seed, stream, spread));
    return [name, Float32Array.from(moved)] as const;
  });
  return toPolicy({ config: policy.config, tensors: new Map(tensors) });
}

/** Cross-entropy, both divergences from a prior, and value imprinting's sum of the two. */
function kl(seed: number): Case {
  const policy = toPolicy(randomWeights(small, seed));
  const prior = near(policy, seed + 1, 0.1);
  const inputs = { ...labelled(small.vocabSize, seed + 2), rhos: [0.1, 1] };
  const batch = batchOf(inputs);
  const activations = forward(policy, batch);
  const priorLogits = forward(prior, batch).logits;
  const losses = [activations.logits, priorLogits, batch.weights, small.vocabSize] as const;
  const towards = klPolicyPrior(...losses);
  const from = klPriorPolicy(...losses);
  const ce = crossEntropy(activations.logits, batch.targets, batch.weights, small.vocabSize);
  const scalars: Record<string, number> = {};
  const expected: NamedTensor[] = [];
  const record = (name: string, loss: number, d_logits: Float64Array) => {
    scalars[name] = loss;
    const { parameters } = backward(policy, batch, activations, d_logits);
    expected.push(...named(small, parameters, `grad_${name}.`));
  };
  record("kl_theta_prior", towards.loss, towards.d_logits);
  record("kl_prior_theta", from.loss, from.d_logits);
  record("ce", ce.loss, ce.d_logits);
  for (const [name, rho] of [["0_1", 0.1], ["1_0", 1]] as const) {
    const d_logits = add(ce.d_logits, scale(towards.d_logits, rho));
    record(`imprint_rho_${name}`, ce.loss + rho * towards.loss, d_logits);
  }
  const perToken = (name: string, values: Float64Array) => {
    const kept = values.map((v, i) => v * batch.weights[i])
      .filter((_, i) => i % batch.length < batch.length - 1);
    expected.push(tensor(`${name}_per_token`, [batch.rows, batch.length - 1], kept));
  };
  perToken("kl_theta_prior", towards.perToken);
  perToken("kl_prior_theta", from.perToken);
  return { policy, otherWeights: { prior }, inputs, expected, scalars };
}

/** The empirical Fisher at one policy and the penalty at another. */
function ewc(seed: number): Case {
  const policy = toPolicy(randomWeights(small, seed));
  const theta = near(policy, seed + 1, 0.05);
  const kappa = 1.75;
  const inputs = { ...labelled(small.vocabSize, seed + 2), kappa };
  const batch = batchOf(inputs);
  const fisher = empiricalFisher(policy, batch);
  const { penalty, gradient } = ewcPenalty(theta.parameters, policy.parameters, fisher, kappa);
  const logProbs = Float64Array.from(
    { length: batch.rows },
    (_, row) => sequenceLogProb(policy, rowOf(batch, row)).logProb,
  );
  const values = [...fisher.values()].flatMap((f) => [...f]);
  return {
    policy,
    otherWeights: { theta },
    inputs,
    expected: [
      tensor("sequence_loglik", [batch.rows], logProbs),
      ...named(small, fisher, "fisher."),
      ...named(small, gradient, "grad_penalty."),
    ],
    scalars: {
      penalty,
      fisher_sum: values.reduce((a, b) => a + b),
      fisher_max: values.reduce((a, b) => Math.max(a, b)),
    },
  };
}

/** Preference losses over pairs of rows, rewards, and the gradient of the sigmoid loss. */
function dpo(seed: number): Case {
  const policy = toPolicy(randomWeights(small, seed));
  const reference = near(policy, seed + 1, 0.1);
  const [chosen, rejected] = [seed + 2, seed + 3].map((at) => labelled(small.vocabSize, at));
  const rows = [chosen, rejected].map((side) => {
    const batch = batchOf(side);
    return Array.from({ length: batch.rows }, (_, row) => rowOf(batch, row));
  });
  const pairs = rows[0].length;
  const own = rows.map((side) => side.map((row) => sequenceLogProb(policy, row)));
  const logps = {
    policy: own.map((side) => side.map(({ logProb }) => logProb)),
    ref: rows.map((side) => side.map((row) => sequenceLogProb(reference, row).logProb)),
  };
  const list = (name: string, values: number[]) => tensor(name, [pairs], Float64Array.from(values));
  const sides = ["chosen", "rejected"] as const;
  const expected = (["policy", "ref"] as const).flatMap((who) =>
    sides.map((side, s) => list(`${who}_${side}_logps`, logps[who][s]))
  );
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / pairs;
  const scalars: Record<string, unknown> = {};
  const betas = [0.1, 0.5];
  for (const beta of betas) {
    const name = `beta_${`${beta}`.replace(".", "_")}`;
    const pairAt = (p: number) => ({
      policy: logps.policy.map((side) => side[p]),
      reference: logps.ref.map((side) => side[p]),
      lengths: rows.map((side) => side[p].weights.reduce((a, b) => a + b, 0)),
    });
    const numbers: Record<string, number> = {};
    for (const loss of ["sigmoid", "cdpo", "ipo", "hinge"] as const) {
      const each = rows[0].map((_, p) => preferenceLoss(pairAt(p), loss, beta, 0.1));
      expected.push(list(`${name}.loss_${loss}`, each));
      numbers[`loss_${loss}`] = mean(each);
    }
    const rewards = logps.policy.map((side, s) => side.map((x, p) => beta * (x - logps.ref[s][p])));
    const margins = rewards[0].map((reward, p) => reward - rewards[1][p]);
    sides.forEach((side, s) => {
      expected.push(list(`${name}.${side}_rewards`, rewards[s]));
      numbers[`${side}_reward`] = mean(rewards[s]);
    });
    expected.push(list(`${name}.margins`, margins));
    numbers.margin = mean(margins);
    numbers.accuracy = mean(margins.map((margin) => Number(margin > 0)));
    scalars[name] = numbers;
    const gradient: Tensors = new Map();
    own.forEach((side, s) =>
      side.forEach(({ gradient: of }, p) => {
        const slope = (s === 0 ? -beta : beta) / (1 + Math.exp(margins[p])) / pairs;
        for (const [parameter, g] of of) {
          const sum = gradient.get(parameter) ?? new Float64Array(g.length);
          gradient.set(parameter, add(sum, scale(g, slope)));
        }
      })
    );
    expected.push(...named(small, gradient, `grad_${name}.`));
  }
  const inputs = { betas, label_smoothing: 0.1, chosen, rejected };
  return { policy, otherWeights: { reference }, inputs, expected, scalars };
}

/** One line per entry, so that a change is a readable difference. */
function lines(value: Record<string, unknown>): string {
  const entries = Object.entries(value).map(([k, v]) =>
    ` ${JSON.stringify(k)}: ${JSON.stringify(v)}`
  );
  return `{\n${entries.join(",\n")}\n}\n`;
}

async function write(name: string, made: Case): Promise<void> {
  const folder = `${root}${name}`;
  const { policy, otherWeights = {}, inputs, expected, scalars } = made;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/config.json`, lines(configToHuggingFace(policy.config)));
  await Deno.writeTextFile(`${folder}/inputs.json`, lines(inputs));
  await Deno.writeTextFile(`${folder}/expected.json`, lines(scalars));
  await writeSafetensors(`${folder}/expected.safetensors`, expected);
  for (const [file, { parameters }] of Object.entries({ model: policy, ...otherWeights })) {
    await writeSafetensors(`${folder}/${file}.safetensors`, named(policy.config, parameters));
  }
  const count = parameterSpecs(policy.config).length;
  console.error(`${name}: ${count} parameters, ${expected.length} expected tensors`);
}

if (import.meta.main) {
  await write("gpt2-tiny", languageModel("gpt2", 3));
  await write("llama-tiny", languageModel("llama", 23));
  await write("qwen2-tiny", languageModel("qwen2", 9));
  await write("gpt-neox-tiny", languageModel("gpt_neox", 11));
  await write("kl", kl(5));
  await write("ewc", ewc(6));
  await write("dpo", dpo(7));
}
