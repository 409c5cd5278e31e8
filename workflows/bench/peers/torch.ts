/**
 * PyTorch on the processor as a contestant, in a Python process.
 *
 * Debian's python3-torch comes with the reference BLAS unless libopenblas0-pthread is installed (6 against 105 GFLOP/s at 512^3 on
 * one core, 2026-11-21): the process refuses to run without a fast one.
 *
 * One OpenMP thread and two BLAS threads: with two of each the pools fight (a small step took twice as long), and
 * `set_num_threads(1)` alone does not limit a BLAS that has threads of its own. Weights start at 0.02 like everyone's; at
 * PyTorch's own N(0, 1) for embeddings a tied head drives gradients into denormals and the step into a third of its speed.
 */
import { parameterSpecs } from "../../../kernels/policy/config.ts";
import { initialWeights } from "../../../kernels/policy/init.ts";
import { ADAM, INITIAL, matmulInputs, type Task } from "../contest.ts";
import type { Contestant } from "../contestant.ts";
import { startChild } from "./child.ts";

const THREADS = { OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "2" } as const;

/**
 * Starts `python` with PyTorch.
 * @throws {Error} when it has none.
 */
export async function startTorch(python: string): Promise<Contestant> {
  const script = new URL("./torch_gpt.py", import.meta.url);
  const remote = await startChild("torch", {
    command: python,
    args: ["-u", decodeURIComponent(script.pathname)],
    env: THREADS,
  });
  return {
    ...remote,
    async open(task) {
      const tensors = inputsOf(task);
      if (!tensors) return await remote.open(task);
      const inputs = await Deno.makeTempFile({ prefix: "infant-bench-", suffix: ".f32" });
      try {
        using file = await Deno.open(inputs, { write: true });
        for (const values of tensors) await writeAll(file, new Uint8Array(values.buffer));
        return await remote.open(withInputs(task, inputs));
      } finally {
        await Deno.remove(inputs);
      }
    },
  };
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

/** What goes into the file, in order; null where a task has no inputs. */
function inputsOf(task: Task): Float32Array[] | null {
  if (task.kind === "matmul") {
    const { a, b } = matmulInputs(task);
    return [a, b];
  }
  if (task.kind !== "gpt step") return null;
  const { tensors } = initialWeights(task.config, INITIAL.seed, INITIAL.std);
  return parameterSpecs(task.config).map(({ name }) => tensors.get(name)!);
}

/** A task with what the Python side cannot work out. */
function withInputs(task: Task, inputs: string): Task {
  const more = task.kind === "gpt step"
    ? { inputs, parameters: parameterSpecs(task.config), adam: ADAM }
    : { inputs };
  return { ...task, ...more };
}
