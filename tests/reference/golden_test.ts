/**
 * The reference against golden cases: all of PyTorch's in the shared folder, and the project's own copies. Of those,
 * the LoRA, exact-Fisher and symmetric-loss cases are PyTorch's too; the rest came from this reference and guard it
 * against change (`tests/golden/README.md`).
 */
import { NO_TARGET } from "../../workflows/data/batch.ts";
import { toHuggingFace } from "../../workflows/model_files/layouts.ts";
import { assert, assertEquals } from "../assert.ts";
import { sharedTest } from "../shared.ts";
import {
  empiricalFisher,
  ewcPenalty,
  exactFisher,
  nextTokenLogProbs,
  rowOf,
  sequenceLogProb,
} from "./fisher.ts";
import {
  assertAllClose,
  assertClose,
  batchOf,
  expectedByParameter,
  type LabelledInputs,
  maskedLogits,
  readAdapters,
  readCase,
  readPolicy,
} from "./golden_case.ts";
import { mergeLora } from "./lora.ts";
import {
  crossEntropy,
  jensenShannon,
  jensenShannonOf,
  klPolicyPrior,
  klPriorPolicy,
  type TokenLoss,
} from "./losses.ts";
import { add, scale } from "./numbers.ts";
import { logSoftmax, softmax } from "./softmax.ts";
import { backward, forward } from "./transformer.ts";
import { generateGreedily, lossAndGradients, train } from "./training.ts";

/** Both sides are float64; what is left is the float32 in which the expected tensors are stored. */
const LIMIT = 3e-7;

interface LanguageModelInputs extends LabelledInputs {
  readonly optimizer: {
    readonly lr: number;
    readonly betas: [number, number];
    readonly eps: number;
    readonly weight_decay: number;
    readonly clip_grad_norm: number;
    readonly steps: number;
  };
  readonly generation: { readonly prompt_ids: number[]; readonly max_new_tokens: number };
}

interface LanguageModelScalars {
  readonly loss: number;
  readonly n_target_tokens: number;
  readonly train_losses: number[];
  readonly train_grad_norms: number[];
  readonly loss_after_training: number;
  readonly generated_ids: number[];
}

async function languageModel(folder: string): Promise<void> {
  const { inputs, scalars, expected } = await readCase<LanguageModelInputs, LanguageModelScalars>(
    folder,
  );
  const policy = await readPolicy(folder);
  const { config } = policy;
  const batch = batchOf(inputs);
  const { loss, gradients, activations } = lossAndGradients(policy, batch);
  const logits = maskedLogits(activations.logits, inputs.attention_mask, config.vocabSize);
  assertClose("logits", logits, expected.get("logits")!.data, LIMIT);
  assertClose("loss", [loss], [scalars.loss], 1e-12);
  assertEquals(batch.weights.reduce((a, b) => a + b), scalars.n_target_tokens);
  assertAllClose("grad", gradients, await expectedByParameter(config, expected, "grad"), LIMIT);

  const { prompt_ids, max_new_tokens } = inputs.generation;
  const generated = generateGreedily(policy, prompt_ids, max_new_tokens);
  assertEquals(generated.ids, scalars.generated_ids);
  assertClose("decode_logits", generated.logits, expected.get("decode_logits")!.data, LIMIT);

  const { lr, betas, eps, weight_decay, clip_grad_norm, steps } = inputs.optimizer;
  const options = { lr, betas, eps, weightDecay: weight_decay, maxNorm: clip_grad_norm, steps };
  const { losses, norms } = train(policy, batch, options);
  assertClose("train_losses", losses, scalars.train_losses, 1e-10);
  assertClose("train_grad_norms", norms, scalars.train_grad_norms, 1e-10);
  const after = lossAndGradients(policy, batch).loss;
  assertClose("loss_after_training", [after], [scalars.loss_after_training], 1e-10);
  const masks = await expectedByParameter(config, expected, "final_mask", 1);
  for (const [name, final] of await expectedByParameter(config, expected, "final")) {
    const mask = masks.get(name)!;
    const masked = (x: Float64Array | Float32Array) => Float64Array.from(x, (v, i) => v * mask[i]);
    assertClose(`final.${name}`, masked(policy.parameters.get(name)!), masked(final), LIMIT);
  }
}

async function kl(folder: string): Promise<void> {
  const { inputs, scalars, expected } = await readCase<
    LabelledInputs & { rhos: number[] },
    Record<string, number>
  >(folder);
  const [policy, prior] = [await readPolicy(folder), await readPolicy(folder, "prior.safetensors")];
  const batch = batchOf(inputs);
  const { vocabSize } = policy.config;
  const activations = forward(policy, batch);
  const priorLogits = forward(prior, batch).logits;
  const arguments_ = [activations.logits, priorLogits, batch.weights, vocabSize] as const;
  const losses: Record<string, TokenLoss> = {
    kl_theta_prior: klPolicyPrior(...arguments_),
    kl_prior_theta: klPriorPolicy(...arguments_),
    ce: crossEntropy(activations.logits, batch.targets, batch.weights, vocabSize),
  };
  for (const rho of inputs.rhos) {
    const { ce, kl_theta_prior: kl } = losses;
    losses[`imprint_rho_${rho.toFixed(1).replace(".", "_")}`] = {
      loss: ce.loss + rho * kl.loss,
      perToken: ce.perToken,
      d_logits: add(ce.d_logits, scale(kl.d_logits, rho)),
    };
  }
  for (const [name, { loss, perToken, d_logits }] of Object.entries(losses)) {
    assertClose(name, [loss], [scalars[name]], 1e-12);
    const { parameters } = backward(policy, batch, activations, d_logits);
    const gradients = await expectedByParameter(policy.config, expected, `grad_${name}`);
    assertAllClose(`grad_${name}`, parameters, gradients, LIMIT);
    const stored = expected.get(`${name}_per_token`);
    if (!stored) continue;
    // Stored without the last position of each row, which predicts nothing.
    const masked = perToken.map((value, i) => value * batch.weights[i]);
    const kept = masked.filter((_, i) => i % batch.length < batch.length - 1);
    assertClose(`${name}_per_token`, kept, stored.data, LIMIT);
  }
}

async function ewc(folder: string): Promise<void> {
  const { inputs, scalars, expected } = await readCase<
    LabelledInputs & { kappa: number },
    { penalty: number; fisher_sum: number; fisher_max: number }
  >(folder);
  const [anchor, theta] = [await readPolicy(folder), await readPolicy(folder, "theta.safetensors")];
  const batch = batchOf(inputs);
  const logProbs = Array.from(
    { length: batch.rows },
    (_, row) => sequenceLogProb(anchor, rowOf(batch, row)).logProb,
  );
  assertClose("sequence_loglik", logProbs, expected.get("sequence_loglik")!.data, LIMIT);
  const fisher = empiricalFisher(anchor, batch);
  const stored = await expectedByParameter(anchor.config, expected, "fisher");
  assertAllClose("fisher", fisher, stored, LIMIT);
  const values = [...fisher.values()].flatMap((f) => [...f]);
  assertClose("fisher_sum", [values.reduce((a, b) => a + b)], [scalars.fisher_sum], 1e-12);
  assertClose("fisher_max", [values.reduce((a, b) => Math.max(a, b))], [scalars.fisher_max], 1e-12);
  const { penalty, gradient } = ewcPenalty(
    theta.parameters,
    anchor.parameters,
    fisher,
    inputs.kappa,
  );
  assertClose("penalty", [penalty], [scalars.penalty], 1e-12);
  const gradients = await expectedByParameter(anchor.config, expected, "grad_penalty");
  assertAllClose("grad_penalty", gradient, gradients, LIMIT);
}

async function trueFisher(folder: string): Promise<void> {
  const { inputs, scalars, expected } = await readCase<
    { input_ids: number[][] },
    { fisher_sum: number }
  >(folder);
  const policy = await readPolicy(folder);
  const logProbs = inputs.input_ids.flatMap((context) => [...nextTokenLogProbs(policy, context)]);
  assertClose("logprobs", logProbs, expected.get("logprobs")!.data, LIMIT);
  const fisher = exactFisher(policy, inputs.input_ids);
  const stored = await expectedByParameter(policy.config, expected, "fisher");
  assertAllClose("fisher", fisher, stored, LIMIT);
  const sum = [...fisher.values()].reduce((total, f) => total + f.reduce((a, b) => a + b, 0), 0);
  assertClose("fisher_sum", [sum], [scalars.fisher_sum], 1e-12);
  // In expectation over the model's own tokens the squared gradient is minus the second derivative.
  const hessian = await expectedByParameter(policy.config, expected, "neg_hessian");
  assertAllClose("neg_hessian", fisher, hessian, 1e-6);
}

const peftName = (weight: string): string => `base_model.model.${weight.replace(/\.weight$/, "")}`;

async function lora(folder: string): Promise<void> {
  const { inputs, scalars, expected } = await readCase<
    LabelledInputs,
    { loss: number; base_loss: number }
  >(folder);
  const base = await readPolicy(folder);
  const { config, parameters } = base;
  const adapters = await readAdapters(folder, config);
  const batch = batchOf(inputs);
  const compare = (name: string, logits: Float64Array) =>
    assertClose(
      name,
      maskedLogits(logits, inputs.attention_mask, config.vocabSize),
      expected.get(name)!.data,
      LIMIT,
    );
  const without = lossAndGradients(base, batch);
  compare("base_logits", without.activations.logits);
  assertClose("base_loss", [without.loss], [scalars.base_loss], 1e-12);
  const adapted = lossAndGradients({ ...base, adapters }, batch);
  compare("logits", adapted.activations.logits);
  assertClose("loss", [adapted.loss], [scalars.loss], 1e-12);
  assert(adapters.length > 0);
  for (const { name } of adapters) {
    for (const side of ["A", "B"]) {
      const stored = expected.get(`grad.${name}.lora_${side}.weight`)!;
      const gradient = adapted.gradients.get(`lora.${name}.${side}`)!;
      assertClose(`${name}.${side}`, gradient, stored.data, LIMIT);
    }
  }
  // Merging the adapters into the weights changes nothing.
  const merged = new Map(parameters);
  for (const adapter of adapters) {
    const { parameter } = adapter;
    merged.set(parameter, mergeLora(adapter, merged.get(parameter)!));
  }
  compare("logits", forward({ config, parameters: merged }, batch).logits);
  const singles = Array.from(merged, ([name, t]) => [name, Float32Array.from(t)] as const);
  const adaptedModules = new Set(adapters.map(({ name }) => name));
  for (const { name, data } of toHuggingFace(config, new Map(singles))) {
    const stored = expected.get(`merged.${name}`);
    assertEquals(stored !== undefined, adaptedModules.has(peftName(name)), name);
    if (stored) assertClose(`merged.${name}`, data, stored.data, LIMIT);
  }
}

interface SymmetricInputs {
  readonly logits: number[][];
  readonly labels: number[];
  readonly p: number[][];
  readonly q: number[][];
  readonly logits_a: number[][];
  readonly logits_b: number[][];
}

async function symmetricLosses(folder: string): Promise<void> {
  const { inputs, scalars, expected } = await readCase<SymmetricInputs, Record<string, number>>(
    folder,
  );
  const vocab = inputs.logits[0].length;
  const stored = (name: string) => expected.get(name)!.data;
  inputs.logits.forEach((row, i) => {
    assertClose(`softmax.${i}`, softmax(row, vocab), stored(`softmax.${i}`), LIMIT);
    assertClose(`log_softmax.${i}`, logSoftmax(row, vocab), stored(`log_softmax.${i}`), LIMIT);
  });
  const logits = inputs.logits.flat();
  const targets = inputs.labels.map((label) => label === -100 ? NO_TARGET : label);
  const ones = targets.map(() => 1);
  const ce = crossEntropy(logits, targets, ones, vocab);
  assertClose("cross_entropy_mean", [ce.loss], [scalars.cross_entropy_mean], 1e-12);
  assertClose("cross_entropy_each", ce.perToken, stored("cross_entropy_each"), LIMIT);
  assertClose("grad_cross_entropy", ce.d_logits, stored("grad_cross_entropy"), LIMIT);
  const ignored = crossEntropy(logits, targets.map(() => NO_TARGET), ones, vocab);
  assertEquals(ignored.loss, scalars.cross_entropy_all_ignored);

  const [a, b] = [inputs.logits_a.flat(), inputs.logits_b.flat()];
  const rows = inputs.logits_a.map(() => 1);
  const js = [
    jensenShannon(a, b, rows, vocab, 1),
    jensenShannon(b, a, rows, vocab, 1),
    klPolicyPrior(a, b, rows, vocab, 1),
    klPriorPolicy(a, b, rows, vocab, 1),
  ];
  assertClose("js_logits", js[0].perToken, stored("js_logits"), LIMIT);
  assertClose("grad_js_a", js[0].d_logits, stored("grad_js_a"), LIMIT);
  assertClose("grad_js_b", js[1].d_logits, stored("grad_js_b"), LIMIT);
  assertClose("kl_a_b", js[2].perToken, stored("kl_a_b"), LIMIT);
  assertClose("jeffreys", add(js[2].perToken, js[3].perToken), stored("jeffreys"), LIMIT);
  const gradient = add(js[2].d_logits, js[3].d_logits);
  assertClose("grad_jeffreys_a", gradient, stored("grad_jeffreys_a"), LIMIT);
  const probabilities = inputs.p.map((p, i) => jensenShannonOf(p, inputs.q[i]));
  assertClose("js_probs", probabilities, stored("js_probs"), LIMIT);
}

const fromHere = (path: string): string => new URL(path, import.meta.url).pathname;

/** What checks which case; a case is known by its folder's name. */
const checks: Record<string, (folder: string) => Promise<void>> = {
  "gpt2-tiny": languageModel,
  "llama-tiny": languageModel,
  "qwen2-tiny": languageModel,
  "gpt-neox-tiny": languageModel,
  "kl": kl,
  "ewc": ewc,
  "ewc-true-fisher": trueFisher,
  "lora-llama": lora,
  "lora-gpt2": lora,
  "symmetric-losses": symmetricLosses,
};

for (const [name, check] of Object.entries(checks)) {
  Deno.test(`golden ${name}: the project's copy`, () => check(fromHere(`../golden/${name}`)));
  sharedTest(`golden ${name}: PyTorch`, ["golden", name], check);
}
