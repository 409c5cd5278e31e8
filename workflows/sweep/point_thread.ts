/// <reference lib="deno.worker" />
/**
 * The thread that computes points. Waiting for the GPU blocks a thread's event loop in Deno; here that delays nobody, and the main
 * thread keeps queue locks renewed, shows progress and hears Ctrl-C.
 */
import { DeviceError, InputError } from "../../kernels/errors.ts";
import { fileProblem } from "../files.ts";
import type { Reporter } from "../logging/reporter.ts";
import type { FromThread, ToThread } from "./in_thread.ts";
import { runPoint, runShared } from "./run_point.ts";

const post = (message: FromThread) => self.postMessage(message);

const reporter: Reporter = {
  stage: (...args) => post({ call: "stage", args }),
  step: (...args) => post({ call: "step", args }),
  metrics: (...args) => post({ call: "metrics", args }),
  note: (...args) => post({ call: "note", args }),
  done: () => {},
};

self.onmessage = async ({ data }: MessageEvent<ToThread>) => {
  const stop = new Int32Array(data.stop);
  const hooks = { reporter, stopped: () => Atomics.load(stop, 0) !== 0, adapter: data.adapter };
  try {
    const { task, folder } = data;
    const result = "shared" in task
      ? await runShared(task.shared, folder, hooks)
      : await runPoint(task.point, folder, hooks);
    post({ result });
  } catch (error) {
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
