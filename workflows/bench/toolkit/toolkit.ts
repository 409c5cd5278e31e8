/**
 * The toolkit itself as a contestant.
 */
import declared from "../../../deno.json" with { type: "json" };
import type { Gpu } from "../../../kernels/gpu/device.ts";
import type { Library, Task, Workload } from "../contest.ts";
import { nurseryBatch, nurseryWeights } from "../nursery.ts";
import { openGenerate, openStories } from "./generation.ts";
import { openArithmetic, openCopy, openMatmul, openOperation } from "./kernels.ts";
import {
  benchProgram,
  openFisher,
  openGptStep,
  openImprintStep,
  openMemory,
  stepsOf,
} from "./steps.ts";

/** The toolkit on an open device. */
export function toolkit(gpu: Gpu): Library {
  return {
    name: "infant",
    version: declared.version,
    adapter: gpu.info.description,
    native: false,
    open: (task) => open(gpu, task),
  };
}

async function open(gpu: Gpu, task: Task): Promise<Workload> {
  switch (task.kind) {
    case "wait":
      return openArithmetic(gpu, 1024);
    case "arithmetic":
      return openArithmetic(gpu, task.values);
    case "copy":
      return openCopy(gpu, task.bytes / 4);
    case "matmul":
      return openMatmul(gpu, task);
    case "kernel":
      return openOperation(gpu, task);
    case "gpt step":
      return openGptStep(gpu, task);
    case "imprint step":
      return openImprintStep(gpu, task);
    case "nursery step": {
      const batch = nurseryBatch();
      return stepsOf(benchProgram(gpu, await nurseryWeights(), batch), batch);
    }
    case "fisher":
      return openFisher(gpu, task);
    case "memory":
      return openMemory(gpu, task);
    case "generate":
      return openGenerate(gpu, task);
    case "stories":
      return await openStories(gpu, task);
  }
}
