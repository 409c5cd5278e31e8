/// <reference lib="deno.worker" />
/**
 * The thread that owns the GPU. Waiting for the GPU blocks a thread's event loop in Deno; here that delays nobody, and the main
 * thread keeps showing progress and hearing Ctrl-C.
 */
import { DeviceError, InputError } from "../../kernels/errors.ts";
import { fileProblem } from "../files.ts";
import type { Reporter } from "../logging/reporter.ts";
import { train } from "./trainer.ts";
import type { FromWorker, ToWorker } from "./in_worker.ts";

const post = (message: FromWorker) => self.postMessage(message);

/** Sends every call to the main thread's reporter. */
const reporter: Reporter = {
  stage: (...args) => post({ call: "stage", args }),
  step: (...args) => post({ call: "step", args }),
  metrics: (...args) => post({ call: "metrics", args }),
  note: (...args) => post({ call: "note", args }),
  done: () => {},
};

self.onmessage = async ({ data }: MessageEvent<ToWorker>) => {
  const stop = new Int32Array(data.stop);
  try {
    const result = await train({
      ...data.request,
      reporter,
      stopped: () => Atomics.load(stop, 0) !== 0,
    });
    post({ result });
  } catch (error) {
    // A full disk is told here: the error's code does not survive the way to the main thread.
    const told = fileProblem(error) ?? error as Error;
    const kind = told instanceof InputError
      ? "input"
      : told instanceof DeviceError
      ? "device"
      : "bug";
    const { message, stack = message } = told;
    post({ error: { kind, message, stack } });
  }
};
post({ ready: true });
