/**
 * What is measured: the adapter's roofs, every kernel as training uses it, whole training steps, the Fisher pass, generation.
 */
import { MATMUL_SCHEDULES } from "../../kernels/gpu/device.ts";
import { parameterCount } from "../../kernels/policy/config.ts";
import { CHAINS, STEPS_PER_TURN } from "../../kernels/roof/roof.ts";
import {
  type GenerateTask,
  type GptStepTask,
  type KernelTask,
  RECURRENCE,
  type StoriesTask,
  type Task,
} from "./contest.ts";
import { NURSERY_TOKENS, nurseryName } from "./nursery.ts";
import { LARGE, MEDIUM, productsOf, type Sized, SMALL, stepFlops, TINY } from "./policies.ts";

/** What one run of a case does; rates follow from it. */
export interface Work {
  /** Floating-point operations. */
  readonly flops?: number;
  /** Bytes read and written. */
  readonly bytes?: number;
  /** Tokens trained on or generated. */
  readonly tokens?: number;
}

/** The same case another way. */
export interface Variant {
  /** Stands behind the toolkit's name. */
  readonly label: string;
  /** What is asked instead. */
  readonly task: Task;
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
  /** Peers that take part where they are there. */
  readonly peers: readonly string[];
  /** Other ways of the toolkit, beside its own choice. */
  readonly variants: readonly Variant[];
  /** Also measured in fresh processes: the first step, and memory. */
  readonly fresh: boolean;
}

/** Which cases. */
export interface CaseOptions {
  /** Small sizes, for CI: shows that everything runs, not how fast. */
  readonly quick: boolean;
  /** Tokens of the sequence that GPT-2 small is trained on. */
  readonly largeLength?: number;
  /** Model and tokenizer of llama2.c that tell stories. */
  readonly stories?: { readonly model: string; readonly tokenizer: string };
}

const WEBGPU_PEERS = ["jax-js", "tfjs"];
const ALL_PEERS = [...WEBGPU_PEERS, "torch"];
const alone = { peers: [], variants: [], fresh: false };

/** The cases in order. */
export function benchCases({ quick, largeLength, stories }: CaseOptions): Case[] {
  const large = { ...LARGE, length: largeLength ?? LARGE.length };
  const first = quick ? TINY : SMALL;
  return [
    {
      ...alone,
      id: "wait",
      title: "wait for next to no work",
      task: { kind: "wait" },
      work: {},
      peers: ALL_PEERS,
    },
    ...roofs(quick),
    ...squares(quick ? 128 : 512),
    ...products(first, ALL_PEERS),
    ...kernels(first),
    ...quick ? [] : [...products(MEDIUM, ["torch"]), ...kernels(MEDIUM)],
    step(first, ALL_PEERS),
    ...quick ? [] : [step(MEDIUM, ["torch"]), step(large, [])],
    nurseryStep(),
    ...[first, ...quick ? [] : [MEDIUM]].flatMap((sized) => [imprint(sized), fisher(sized)]),
    ...generations(first, quick ? [1, 4] : [1, 64]),
    ...stories ? [1, quick ? 4 : 64].map((replies) => story(stories, replies, 64)) : [],
  ];
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

function squares(n: number): Case[] {
  return (["nn", "nt", "tn"] as const).map((form) => {
    const task = { kind: "matmul", form, m: n, n, k: n } as const;
    return {
      ...alone,
      id: `matmul-square-${form}`,
      title: `matmul ${form.toUpperCase()} ${n}x${n}x${n}`,
      task,
      work: { flops: 2 * n ** 3 },
      peers: form === "nn" ? ALL_PEERS : ["torch"],
      variants: MATMUL_SCHEDULES.map((schedule) => ({
        label: schedule,
        task: { ...task, schedule },
      })),
    };
  });
}

function products(sized: Sized, peers: readonly string[]): Case[] {
  return productsOf(sized).map(({ weight, pass, form, m, n, k }) => ({
    ...alone,
    id: `matmul-${sized.size}-${weight.replace(".", "-")}-${pass}`,
    title: `matmul ${sized.size} ${weight} ${pass}, ${form.toUpperCase()} ${m}x${n}x${k}`,
    task: { kind: "matmul", form, m, n, k },
    work: { flops: 2 * m * n * k },
    peers,
  }));
}

function kernels(sized: Sized): Case[] {
  const { size, config, rows, length } = sized;
  const one = (operation: KernelTask["operation"], backward: boolean): Case => {
    const passes = operation === "adamw" ? "" : backward ? " forward and backward" : " forward";
    const task = { kind: "kernel", operation, backward, config, rows, length } as const;
    return {
      ...alone,
      id: `kernel-${size}-${operation.replace(" ", "-")}${backward ? "-backward" : ""}`,
      title: `${operation} ${size}${passes}`,
      task,
      work: kernelWork(task),
      variants: operation === "attention"
        ? [{ label: "plain", task: { ...task, plain: true } }]
        : [],
    };
  };
  return [
    ...(["attention", "norm", "cross entropy"] as const).flatMap((operation) => [
      one(operation, false),
      one(operation, true),
    ]),
    one("adamw", false),
  ];
}

/**
 * Attention by its operations: two products over the causal half forward, five backward (scores again, d_p, d_q, d_k, d_v). The
 * others by the bytes that must move: each input once, each output once.
 */
function kernelWork({ operation, backward, config, rows, length }: KernelTask): Work {
  const { heads, headDim, width, vocabSize } = config;
  const tokens = rows * length;
  switch (operation) {
    case "attention":
      return { flops: (backward ? 7 : 2) * rows * heads * headDim * length * (length + 1) };
    case "norm": // x to y; x and d_y to d_x
      return { bytes: 4 * tokens * width * (backward ? 5 : 2) };
    case "cross entropy": // logits; logits to d_logits
      return { bytes: 4 * tokens * vocabSize * (backward ? 3 : 1) };
    case "adamw": // theta, m and v read and written, d_theta read
      return { bytes: 4 * 7 * parameterCount(config) };
  }
}

const describe = ({ config, rows, length }: Sized) =>
  `gpt2 ${config.layers} layers, width ${config.width}, ${rows} x ${length}`;

function step(sized: Sized, peers: readonly string[]): Case {
  const { size, config, rows, length } = sized;
  const tokens = rows * length;
  const task: GptStepTask = { kind: "gpt step", config, rows, length };
  return {
    id: `step-${size}`,
    title: `training step ${size}, ${describe(sized)}`,
    task,
    work: { flops: stepFlops(config, tokens, length), tokens },
    peers,
    variants: [{ label: "recompute", task: { ...task, recompute: true } }],
    fresh: true,
  };
}

function nurseryStep(): Case {
  return {
    ...alone,
    id: "step-nursery",
    title: `training step nursery, ${nurseryName()}`,
    task: { kind: "nursery step" },
    work: { tokens: NURSERY_TOKENS },
  };
}

function imprint(sized: Sized): Case {
  const { size, config, rows, length } = sized;
  const tokens = rows * length;
  // The frozen prior's forward pass is a third of a step.
  const flops = stepFlops(config, tokens, length) * 4 / 3;
  return {
    ...alone,
    id: `imprint-${size}`,
    title: `value imprinting step ${size}, with a frozen prior`,
    task: { kind: "imprint step", config, rows, length },
    work: { flops, tokens },
  };
}

function fisher({ size, config, rows, length }: Sized): Case {
  const tokens = rows * length;
  return {
    ...alone,
    id: `fisher-${size}`,
    title: `Fisher diagonal ${size}, ${rows} sequences of ${length}, read back`,
    task: { kind: "fisher", config, sequences: rows, length },
    work: { flops: stepFlops(config, tokens, length), tokens },
  };
}

const withoutCache = (task: GenerateTask | StoriesTask): Variant => ({
  label: "without a cache",
  task: { ...task, cache: false },
});

function generations({ config }: Sized, batches: readonly number[]): Case[] {
  const promptLength = config.context / 4;
  const maxNew = config.context / 2;
  return batches.map((batch) => {
    const task = { kind: "generate", config, batch, promptLength, maxNew, cache: true } as const;
    return {
      ...alone,
      id: `generate-${batch}`,
      title: `generate ${maxNew} tokens, batch ${batch}, prompt ${promptLength}`,
      task,
      work: { tokens: batch * maxNew },
      variants: [withoutCache(task)],
    };
  });
}

function story(
  files: { readonly model: string; readonly tokenizer: string },
  replies: number,
  maxNew: number,
): Case {
  const { model, tokenizer } = files;
  const task = { kind: "stories", model, tokenizer, replies, maxNew, cache: true } as const;
  return {
    ...alone,
    id: `stories-${replies}`,
    title: `${replies} stories of ${maxNew} tokens, ${model.split(/[\\/]/).at(-1)}`,
    task,
    work: { tokens: replies * maxNew },
    peers: ["llama2.c"],
    variants: [withoutCache(task)],
  };
}
