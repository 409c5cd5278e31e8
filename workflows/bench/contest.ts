/**
 * What a library must offer to take part: open a task, run it n times, wait for all of it.
 *
 * The same interface stands before the toolkit and before its peers, which run in processes of their own; everything
 * in it can be written as JSON.
 */
import type { MatmulForm, MatmulSchedule } from "../../kernels/matmul/matmul.ts";
import type { PolicyConfig } from "../../kernels/policy/config.ts";
import { normalValues } from "../../kernels/policy/init.ts";

/** C = op(A) op(B): C is [m, n], k is summed over. Stored shapes by form are in {@linkcode storedShapes}. */
export interface MatmulTask {
  /** Tells it from other tasks. */
  readonly kind: "matmul";
  /** Which operand is transposed. */
  readonly form: MatmulForm;
  /** Rows of C. */
  readonly m: number;
  /** Columns of C. */
  readonly n: number;
  /** Summed over. */
  readonly k: number;
  /** The toolkit's schedule; the adapter's own where absent. Peers have no choice. */
  readonly schedule?: MatmulSchedule;
}

/**
 * A whole training step of a GPT-2: forward, cross-entropy, backward, AdamW without weight decay (which is Adam), over
 * one batch that does not change. All libraries start from the same weights.
 */
export interface GptStepTask {
  /** Tells it from other tasks. */
  readonly kind: "gpt step";
  /** The policy. */
  readonly config: PolicyConfig;
  /** Sequences of the batch. */
  readonly rows: number;
  /** Tokens of a sequence. */
  readonly length: number;
  /** The toolkit's own choice: activations are recomputed in the backward pass. Peers have no choice. */
  readonly recompute?: boolean;
}

/** Next to no work, then one wait for its result on the host: what every other time has in it. */
export interface WaitTask {
  /** Tells it from other tasks. */
  readonly kind: "wait";
}

/** What other libraries are asked to do as well. */
export type CommonTask = WaitTask | MatmulTask | GptStepTask;

/** Operations beside the matrix product, at the shapes of a policy's training step. */
export type Operation = "attention" | "norm" | "cross entropy" | "adamw";

/** One operation, forward alone or with its backward pass; AdamW has no backward. */
export interface KernelTask {
  /** Tells it from other tasks. */
  readonly kind: "kernel";
  /** Which. */
  readonly operation: Operation;
  /** With its backward pass. */
  readonly backward: boolean;
  /** Attention only, the toolkit's own choice: the way that stores length x length matrices. */
  readonly plain?: boolean;
  /** The policy whose shapes it has. */
  readonly config: PolicyConfig;
  /** Sequences. */
  readonly rows: number;
  /** Tokens of a sequence. */
  readonly length: number;
}

/** A step as in {@linkcode GptStepTask} with the KL to a frozen prior beside the loss (value imprinting, INFANT Eq. 7). */
export interface ImprintStepTask extends Omit<GptStepTask, "kind" | "recompute"> {
  /** Tells it from other tasks. */
  readonly kind: "imprint step";
}

/** The diagonal Fisher information from this many sequences, read back. */
export interface FisherTask {
  /** Tells it from other tasks. */
  readonly kind: "fisher";
  /** The policy. */
  readonly config: PolicyConfig;
  /** Sequences, each with a gradient of its own. */
  readonly sequences: number;
  /** Tokens of a sequence. */
  readonly length: number;
}

/** Bytes of activations and workspace that a training step's tapes own; nothing is timed. */
export interface MemoryTask extends Omit<GptStepTask, "kind"> {
  /** Tells it from other tasks. */
  readonly kind: "memory";
}

/** Replies of `maxNew` tokens to `batch` prompts. */
export interface GenerateTask {
  /** Tells it from other tasks. */
  readonly kind: "generate";
  /** The policy. */
  readonly config: PolicyConfig;
  /** Replies made at once. */
  readonly batch: number;
  /** Tokens of each prompt. */
  readonly promptLength: number;
  /** Tokens of each reply. */
  readonly maxNew: number;
  /** False computes every earlier token anew, for each new one. */
  readonly cache: boolean;
}

/** Stories of `maxNew` tokens from nothing, by a model file of llama2.c; checked by the most likely one. */
export interface StoriesTask {
  /** Tells it from other tasks. */
  readonly kind: "stories";
  /** Path of the model file. */
  readonly model: string;
  /** Path of the tokenizer file. */
  readonly tokenizer: string;
  /** Stories. */
  readonly replies: number;
  /** Tokens of each. */
  readonly maxNew: number;
  /** The toolkit's own choice, see {@linkcode GenerateTask}. */
  readonly cache: boolean;
}

/** What only the toolkit is asked to do. */
export type OwnTask =
  | { readonly kind: "arithmetic"; readonly values: number }
  | { readonly kind: "copy"; readonly bytes: number }
  | { readonly kind: "nursery step" }
  | KernelTask
  | ImprintStepTask
  | FisherTask
  | MemoryTask
  | GenerateTask;

/** Anything a contestant can be asked to do. */
export type Task = CommonTask | OwnTask | StoriesTask;

/** A task made ready. */
export interface Workload {
  /** Runs `count` times and returns the numbers to be checked: sampled entries of C, or the loss of every step. */
  check(count: number): Promise<number[]>;
  /** Runs `count` times without waiting in between, then waits for every result. */
  run(count: number): Promise<void>;
  /** Frees it. */
  close(): void;
}

/** A library that takes part. */
export interface Library {
  /** Its name in tables. */
  readonly name: string;
  /** Its version. */
  readonly version: string;
  /** The adapter it computes on. */
  readonly adapter: string;
  /** It knows no WebGPU and computes on the processor: a fair peer of software adapters only. */
  readonly native: boolean;
  /** Makes a task ready; runs nothing yet. */
  open(task: Task): Promise<Workload>;
}

/** Adam's constants, the same for all. */
export const ADAM = { learningRate: 1e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8 } as const;
/** What the arithmetic roof computes. */
export const RECURRENCE = { a: 0.75, b: 0.1, turns: 64 } as const;
/** Seed and standard deviation of the initial weights: small, so that the first loss is near ln V. */
export const INITIAL = { seed: 1, std: 0.02 } as const;

/** Shapes in which A and B lie in memory. */
export function storedShapes(
  { form, m, n, k }: MatmulTask,
): { readonly a: readonly [number, number]; readonly b: readonly [number, number] } {
  return { a: form === "tn" ? [k, m] : [m, k], b: form === "nt" ? [n, k] : [k, n] };
}

/** A and B as every library gets them, row by row as stored. */
export function matmulInputs(task: MatmulTask): { a: Float32Array; b: Float32Array } {
  const { m, n, k } = task;
  return { a: normalValues(m * k, 1, 1, 0), b: normalValues(k * n, 1, 1, 1) };
}

/** Entries of C that are compared: spread over all rows and columns by a step that is prime to both. */
export function sampledEntries({ m, n }: MatmulTask, count = 64): number[] {
  return Array.from({ length: Math.min(count, m * n) }, (_, i) => (i * 7919 * 31) % (m * n));
}

/** Token ids and targets of the step's batch, [rows * length] each. */
export function stepTokens(
  { config, rows, length }: Pick<GptStepTask, "config" | "rows" | "length">,
): { ids: Uint32Array; targets: Uint32Array } {
  const ids = Uint32Array.from({ length: rows * length }, (_, i) => (i * 7919) % config.vocabSize);
  return { ids, targets: ids.map((id) => (id + 1) % config.vocabSize) };
}
