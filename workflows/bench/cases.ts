/**
 * What is measured: the adapter's roofs, matrix products as training uses them, whole training steps, generation.
 *
 * The policy of the steps is a GPT-2 of 4 layers, width 128, 4 heads, 512 tokens, on 8 x 128 tokens: small enough for a
 * laptop without a GPU, large enough that matrix products decide.
 */
import type { MatmulForm, MatmulSchedule } from "../../kernels/matmul/matmul.ts";
import { checkConfig, type PolicyConfig } from "../../kernels/policy/config.ts";
import { RECURRENCE, type Task } from "./contest.ts";
import { CHAINS, STEPS_PER_TURN } from "../../kernels/roof/roof.ts";
import { NURSERY_TOKENS, nurseryName } from "./nursery.ts";

/** What one run of a case does; rates follow from it. */
export interface Work {
  /** Floating-point operations. */
  readonly flops?: number;
  /** Bytes read and written. */
  readonly bytes?: number;
  /** Tokens trained on or generated. */
  readonly tokens?: number;
}

/** One line of the benchmark. */
export interface Case {
  /** Short name for `--only` and JSON. */
  readonly id: string;
  /** What it is, for people. */
  readonly title: string;
  /** What every contestant is asked to do. */
  readonly task: Task;
  /** What one run of it does. */
  readonly work: Work;
  /** Peers take part. */
  readonly shared: boolean;
  /** The toolkit's schedules that take part beside the adapter's own choice. */
  readonly schedules: readonly MatmulSchedule[];
}

/** All schedules; the compiler objects when one is missing. */
const SCHEDULES = Object.keys(
  { registers: true, tiled: true } satisfies Record<MatmulSchedule, true>,
) as MatmulSchedule[];

/** The GPT-2 of the steps. */
export function benchPolicy(
  size: { layers: number; width: number; heads: number; context: number; vocabSize: number },
): PolicyConfig {
  return checkConfig({
    ...size,
    family: "gpt2",
    kvHeads: size.heads,
    headDim: size.width / size.heads,
    mlpWidth: 4 * size.width,
    norm: "layernorm",
    normEps: 1e-5,
    activation: "gelu_tanh",
    positions: "learned",
    ropeTheta: 0,
    ropeDims: 0,
    parallelResidual: false,
    qkvBias: true,
    outBias: true,
    mlpBias: true,
    tiedHead: true,
    bosTokenId: null,
    eosTokenId: null,
    padTokenId: null,
  });
}

/**
 * Operations of a training step by the usual count (Chowdhery et al. 2022, appendix B): 6 per weight of a matrix that
 * multiplies, and 12 layers width length for attention, for each token; the causal half is not taken off.
 */
export function stepFlops(
  { layers, width, mlpWidth, vocabSize }: PolicyConfig,
  tokens: number,
  length: number,
): number {
  const weights = layers * (4 * width * width + 2 * width * mlpWidth) + width * vocabSize;
  return tokens * (6 * weights + 12 * layers * width * length);
}

/** The cases in order. `quick` takes small sizes, for CI: it shows that everything runs, not how fast. */
export function benchCases(quick: boolean): Case[] {
  const policy = benchPolicy(
    quick
      ? { layers: 2, width: 64, heads: 4, context: 32, vocabSize: 128 }
      : { layers: 4, width: 128, heads: 4, context: 128, vocabSize: 512 },
  );
  return [
    wait(),
    ...roofs(quick),
    ...products(policy, quick),
    ...steps(policy, quick),
    ...generations(policy, quick),
  ];
}

const alone = { shared: false, schedules: [] };

function wait(): Case {
  const title = "wait for next to no work";
  return { id: "wait", title, task: { kind: "wait" }, work: {}, shared: true, schedules: [] };
}

function roofs(quick: boolean): Case[] {
  const values = 2 ** (quick ? 16 : 18);
  const bytes = 2 ** (quick ? 22 : 26);
  return [
    {
      ...alone,
      id: "roof-arithmetic",
      title: "roof: multiply and add",
      task: { kind: "arithmetic", values },
      work: { flops: 2 * values * CHAINS * STEPS_PER_TURN * RECURRENCE.turns },
    },
    {
      ...alone,
      id: "roof-copy",
      title: `roof: copy ${bytes / 2 ** 20} MiB`,
      task: { kind: "copy", bytes },
      work: { bytes: 2 * bytes },
    },
  ];
}

function products({ width, context, mlpWidth }: PolicyConfig, quick: boolean): Case[] {
  const tokens = (quick ? 2 : 8) * context;
  const square = quick ? 128 : 512;
  const shapes: readonly [string, string, MatmulForm, number, number, number][] = [
    ["square", "square", "nn", square, square, square],
    ["qkv", "qkv forward", "nt", tokens, 3 * width, width],
    ["mlp-up", "mlp up forward", "nt", tokens, mlpWidth, width],
    ["mlp-up-dx", "mlp up d_x", "nn", tokens, width, mlpWidth],
    ["mlp-down-dw", "mlp down d_W", "tn", width, mlpWidth, tokens],
  ];
  return shapes.map(([id, name, form, m, n, k]) => ({
    id: `matmul-${id}`,
    title: `matmul ${name} ${form.toUpperCase()} ${m}x${n}x${k}`,
    task: { kind: "matmul", form, m, n, k },
    work: { flops: 2 * m * n * k },
    shared: true,
    schedules: SCHEDULES,
  }));
}

function steps(config: PolicyConfig, quick: boolean): Case[] {
  const rows = quick ? 2 : 8;
  const { layers, width, context: length } = config;
  const tokens = rows * length;
  return [
    {
      id: "gpt-step",
      title: `training step, gpt2 ${layers} layers, width ${width}, ${rows} x ${length}`,
      task: { kind: "gpt step", config, rows, length },
      work: { flops: stepFlops(config, tokens, length), tokens },
      shared: true,
      schedules: [],
    },
    {
      ...alone,
      id: "nursery-step",
      title: `training step, nursery ${nurseryName()}`,
      task: { kind: "nursery step" },
      work: { tokens: NURSERY_TOKENS },
    },
  ];
}

function generations(config: PolicyConfig, quick: boolean): Case[] {
  const promptLength = config.context / 4;
  const maxNew = config.context / 2;
  return (quick ? [1, 4] : [1, 64]).map((batch) => ({
    ...alone,
    id: `generate-${batch}`,
    title: `generate ${maxNew} tokens, batch ${batch}, prompt ${promptLength}`,
    task: { kind: "generate", config, batch, promptLength, maxNew },
    work: { tokens: batch * maxNew },
  }));
}
