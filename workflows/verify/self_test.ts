/**
 * A self-test of the kernels for bug reports: each room once, on a small awkward shape, against its
 * formula in float64.
 *
 * It asks whether this adapter and its shader compiler compute what the shaders say; whether the
 * shaders say the right thing is asked by the tests and by the golden cases.
 */
import type { Gpu } from "../../kernels/gpu/device.ts";
import { type CaseSummary, relativeError, summarise } from "./result.ts";
import { LAYERS } from "./self_test_layers.ts";
import { LEARNING } from "./self_test_learning.ts";

/** Largest relative error of a kernel's result. */
const LIMIT = 1e-5;

/**
 * Runs each room of kernels once; less than a second where pipelines are cached.
 */
export async function selfTest(gpu: Gpu): Promise<CaseSummary[]> {
  const results: CaseSummary[] = [];
  for (const [id, test] of Object.entries({ ...LAYERS, ...LEARNING })) {
    const checks = (await test(gpu)).map(([got, want], i) => ({
      quantity: `result ${i}`,
      worst: relativeError(got, want),
      limit: LIMIT,
    }));
    results.push(summarise({ id, checks, notCovered: [] }));
  }
  return results;
}
