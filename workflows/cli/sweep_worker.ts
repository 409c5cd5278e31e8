/**
 * `deno task sweep:worker`: computes points of sweeps from a queue, on this machine's GPU.
 */
import { InputError } from "../../kernels/errors.ts";
import { onInterrupt } from "../files.ts";
import { bullmqWorker } from "../sweep/bullmq_worker.ts";
import { QUEUE } from "../sweep/queue.ts";
import { type Command, defineCommand, main } from "./command.ts";

const OPTIONS = {
  redis: { type: "string", value: "URL", help: "redis://HOST:PORT" },
  queue: { type: "string", value: "NAME", help: `name of the queue (${QUEUE})` },
  point: { type: "string", value: "FILE", help: "the module to run for sweeps over a function" },
  "lock-seconds": {
    type: "number",
    value: "N",
    min: 1,
    help: "a worker silent for so long is taken for dead (30)",
  },
  "idle-seconds": {
    type: "number",
    value: "N",
    min: 0,
    help: "end after so long without a point; default: never",
  },
} as const;

/** The command. */
export const sweepWorkerCommand: Command<typeof OPTIONS> = defineCommand({
  name: "sweep:worker",
  summary: "Computes points of sweeps that are started with --engine bullmq.",
  options: OPTIONS,
  notes: [
    "",
    "Start one for each GPU. Who can write to the Redis can make workers train: keep it private.",
    "",
    "  deno task sweep:worker --redis redis://127.0.0.1:6379 --out runs/worker",
  ],
  async run({ values, note }) {
    const { redis, out = "runs/sweep-worker", adapter = null, point = null } = values;
    if (redis === undefined) {
      throw new InputError("--redis is missing: redis://HOST:PORT, as the sweep has it");
    }
    const stop = new AbortController();
    using _listening = onInterrupt(() => {
      note("stopping: the point goes back to the queue; press Ctrl-C again to end at once");
      stop.abort();
    });
    const computed = await bullmqWorker({
      url: redis,
      queue: values.queue ?? QUEUE,
      folder: out,
      adapter,
      lockSeconds: values["lock-seconds"] ?? 30,
      idleSeconds: values["idle-seconds"] ?? null,
      module: point,
      note,
      signal: stop.signal,
    });
    note(`${computed} points computed`);
    return { ok: true, json: { computed } };
  },
});

if (import.meta.main) await main(sweepWorkerCommand);
