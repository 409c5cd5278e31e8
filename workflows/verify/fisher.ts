/**
 * Golden cases of elastic weight consolidation (INFANT Eq. 14) and of the exact Fisher information
 * (INFANT Eq. 61).
 */
import { z } from "zod";
import { accumulateSquares, ewcPenalty } from "../../kernels/fisher/fisher.ts";
import type { Gpu } from "../../kernels/gpu/device.ts";
import { readFloats, readTensors } from "../../kernels/gpu/readback.ts";
import { Tape } from "../../kernels/gpu/tape.ts";
import { persistent, Tensor, upload } from "../../kernels/gpu/tensor.ts";
import { crossEntropy } from "../../kernels/losses/cross_entropy.ts";
import { linear } from "../../kernels/matmul/linear.ts";
import { loadParameters, type Parameters } from "../../kernels/policy/parameters.ts";
import type { TokenBatch, TokenExample } from "../data/batch.ts";
import { padBatch } from "../data/pack/assemble.ts";
import { fisherDiagonal } from "../train/fisher.ts";
import { batchOf, type GoldenCase, LABELLED } from "./golden_case.ts";
import { LIMITS } from "./limits.ts";
import { runPass, total } from "./pass.ts";
import { type Check, relativeError } from "./result.ts";

const EWC_INPUTS = LABELLED.extend({ kappa: z.number().min(0) });

/** Empirical Fisher, penalty and the penalty's gradient. */
export async function checkEwc(gpu: Gpu, golden: GoldenCase): Promise<Check[]> {
  const inputs = golden.inputs(EWC_INPUTS);
  const batch = batchOf(inputs);
  const anchor = loadParameters(gpu, await golden.model());
  const theta = loadParameters(gpu, await golden.model("theta.safetensors"));
  try {
    const { config } = anchor;
    const fisher = await fisherDiagonal(anchor, examplesOf(batch), { length: batch.length });
    const values = [...fisher.values()];
    const largest = values.flatMap((f) => [...f]).reduce((a, b) => Math.max(a, b));
    const { penalty, gradient } = await penaltyOf(theta, anchor, fisher, inputs.kappa);
    const number = (name: string, got: number) => check(name, [got], [golden.number(name)]);
    return [
      {
        quantity: "sequence log-probabilities",
        worst: relativeError(await logLikelihoods(anchor, batch), golden.tensor("sequence_loglik")),
        limit: LIMITS.forward,
      },
      golden.compareParameters("fisher", config, fisher, LIMITS.gradient),
      number("fisher_sum", total(values.map(total))),
      number("fisher_max", largest),
      number("penalty", penalty),
      golden.compareParameters("grad_penalty", config, gradient, LIMITS.gradient),
    ];
  } finally {
    anchor.destroy();
    theta.destroy();
  }
}

function check(quantity: string, got: ArrayLike<number>, want: ArrayLike<number>): Check {
  return { quantity, worst: relativeError(got, want), limit: LIMITS.gradient };
}

/** Rows of a batch as examples; a weight belongs to the token that is predicted. */
function examplesOf({ rows, length, ids, weights }: TokenBatch): TokenExample[] {
  return Array.from({ length: rows }, (_, row) => ({
    ids: [...ids.subarray(row * length, (row + 1) * length)],
    weights: [0, ...weights.subarray(row * length, (row + 1) * length - 1)],
  }));
}

/** Log-probability of the scored tokens of each row. */
async function logLikelihoods(policy: Parameters, batch: TokenBatch): Promise<number[]> {
  const { values: [logProbs] } = await runPass(
    policy,
    batch,
    ({ tape, logits, tokens }) => [
      crossEntropy(tape, logits, tokens.targets, tokens.weights).logProb,
    ],
  );
  const scored = logProbs.map((logProb, i) => logProb * batch.weights[i]);
  return Array.from(
    { length: batch.rows },
    (_, row) => total(scored.subarray(row * batch.length, (row + 1) * batch.length)),
  );
}

/** kappa/2 sum F (theta - anchor)^2 and its gradient, over the flat arenas. */
async function penaltyOf(
  theta: Parameters,
  anchor: Parameters,
  fisher: ReadonlyMap<string, Float32Array>,
  kappa: number,
): Promise<{ penalty: number; gradient: Map<string, Float32Array> }> {
  const { gpu, gradients, trainableEnd } = theta;
  const flatFisher = persistent(gpu, "fisher", [trainableEnd]);
  upload(gpu, flatFisher, theta.join(fisher, trainableEnd));
  const value = persistent(gpu, "penalty", [4]);
  const moving = new Tensor("theta", [trainableEnd], "f32", theta.theta.place);
  moving.grad = gradients;
  const tape = new Tape(gpu, "ewc");
  try {
    tape.clear(gradients!);
    ewcPenalty(tape, moving, anchor.theta, flatFisher, kappa, value, 0);
    tape.run();
    const [[penalty], gradient] = await readTensors(gpu, [value, gradients!]) as Float32Array[];
    return { penalty, gradient: theta.split(gradient) };
  } finally {
    tape.destroy();
    for (const tensor of [flatFisher, value]) tensor.place.buffer!.destroy();
  }
}

const rowsOfNumbers = z.array(z.array(z.number()).min(1)).min(1);

const TRUE_FISHER_INPUTS = z.object({
  input_ids: z.array(z.array(z.int().min(0)).min(1)).min(1),
  softmax_W: rowsOfNumbers,
  softmax_b: z.array(z.number()).min(1),
  softmax_X: rowsOfNumbers,
});

/**
 * F = mean_x sum_y p(y | x) (d log p(y | x))^2 by enumerating the next token y of each context x;
 * it equals minus the expected second derivative, which the case holds too.
 */
export async function checkTrueFisher(gpu: Gpu, golden: GoldenCase): Promise<Check[]> {
  const inputs = golden.inputs(TRUE_FISHER_INPUTS);
  const { input_ids: contexts } = inputs;
  const policy = loadParameters(gpu, await golden.model());
  try {
    const { config } = policy;
    const length = 1 + contexts.reduce((most, context) => Math.max(most, context.length), 0);
    const logProbs = await nextTokenLogProbs(policy, contexts, length);
    const examples = contexts.flatMap((context) =>
      Array.from({ length: config.vocabSize }, (_, y): TokenExample => ({
        ids: [...context, y],
        weights: [...context.map(() => 0), 1],
      }))
    );
    const fisher = await fisherDiagonal(policy, examples, {
      length,
      scale: (i) => Math.exp(logProbs[i]) / contexts.length,
    });
    const sum = total([...fisher.values()].map(total));
    return [
      {
        quantity: "log-probabilities",
        worst: relativeError(logProbs, golden.tensor("logprobs")),
        limit: LIMITS.forward,
      },
      golden.compareParameters("fisher", config, fisher, LIMITS.gradient),
      check("fisher_sum", [sum], [golden.number("fisher_sum")]),
      golden.compareParameters("neg_hessian", config, fisher, LIMITS.gradient),
      check("neg_hessian_sum", [sum], [golden.number("neg_hessian_sum")]),
      ...await checkSoftmax(gpu, golden, inputs),
    ];
  } finally {
    policy.destroy();
  }
}

/** log p(y | x) for every token y after each context, [contexts, vocabulary]. */
async function nextTokenLogProbs(
  policy: Parameters,
  contexts: readonly (readonly number[])[],
  length: number,
): Promise<Float64Array> {
  const { vocabSize } = policy.config;
  const examples = contexts.map((ids) => ({ ids, weights: ids.map(() => 0) }));
  const { logits } = await runPass(policy, padBatch(examples, length));
  const rows = contexts.map((context, row) => {
    const at = (row * length + context.length - 1) * vocabSize;
    return logSoftmax(logits.subarray(at, at + vocabSize));
  });
  return Float64Array.from(rows.flat());
}

function logSoftmax(logits: Float32Array): number[] {
  const most = logits.reduce((a, b) => Math.max(a, b));
  const sum = total(logits.map((x) => Math.exp(x - most)));
  return Array.from(logits, (x) => x - most - Math.log(sum));
}

/** The same for p = softmax(W x + b): small enough to see through. */
async function checkSoftmax(
  gpu: Gpu,
  golden: GoldenCase,
  { softmax_W, softmax_b, softmax_X }: z.infer<typeof TRUE_FISHER_INPUTS>,
): Promise<Check[]> {
  const classes = softmax_b.length;
  const width = softmax_X[0].length;
  const made: Tensor[] = [];
  const make = (name: string, shape: readonly number[], values?: number[]) => {
    const tensor = persistent(gpu, name, shape);
    if (values) upload(gpu, tensor, Float32Array.from(values));
    made.push(tensor);
    return tensor;
  };
  const trained = (name: string, shape: readonly number[], values: number[]) => {
    const tensor = make(name, shape, values);
    tensor.needsGrad = true;
    tensor.grad = make(`d_${name}`, shape);
    return { tensor, fisher: make(`fisher ${name}`, [tensor.stored]) };
  };
  const [W, b] = [
    trained("W", [classes, width], softmax_W.flat()),
    trained("b", [classes], softmax_b),
  ];
  const one = make("weight", [1], [1]);
  const logProbs: number[] = [];
  try {
    for (const x of softmax_X) {
      const row = make("x", [1, width], x);
      const forward = new Tape(gpu, "softmax");
      const logits = forward.keep(linear(forward, row, W.tensor, { bias: b.tensor }));
      forward.run();
      const log = logSoftmax(await readFloats(gpu, logits));
      forward.destroy();
      logProbs.push(...log);
      for (let y = 0; y < classes; y++) {
        const target = persistent(gpu, "target", [1], "u32");
        made.push(target);
        upload(gpu, target, Uint32Array.of(y));
        const tape = new Tape(gpu, "score");
        for (const { tensor } of [W, b]) tape.clear(tensor.grad!);
        crossEntropy(tape, linear(tape, row, W.tensor, { bias: b.tensor }), target, one);
        tape.backward();
        for (const { tensor: { grad }, fisher } of [W, b]) {
          const flat = new Tensor(grad!.name, [fisher.columns], "f32", grad!.place);
          accumulateSquares(tape, flat, fisher, Math.exp(log[y]) / softmax_X.length);
        }
        tape.run();
        tape.destroy();
      }
    }
    const asW = new Tensor("fisher W", [classes, width], "f32", W.fisher.place);
    const asB = new Tensor("fisher b", [classes], "f32", b.fisher.place);
    const [fisherW, fisherB] = await readTensors(gpu, [asW, asB]);
    return [
      check("softmax_logprobs", logProbs, golden.tensor("softmax_logprobs")),
      ...["fisher", "neg_hessian"].flatMap((name) => [
        check(`${name}_softmax_W`, fisherW, golden.tensor(`${name}_softmax_W`)),
        check(`${name}_softmax_b`, fisherB, golden.tensor(`${name}_softmax_b`)),
      ]),
      check(
        "softmax_fisher_sum",
        [total(fisherW) + total(fisherB)],
        [golden.number("softmax_fisher_sum")],
      ),
    ];
  } finally {
    for (const tensor of made) tensor.place.buffer!.destroy();
  }
}
