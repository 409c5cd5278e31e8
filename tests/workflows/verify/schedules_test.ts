/**
 * The golden cases under every schedule of matrix products, each taken for every product, at the tolerances of the default.
 */
import { type Gpu, MATMUL_SCHEDULES, openGpu } from "../../../kernels/gpu/device.ts";
import type { CompiledKernel } from "../../../kernels/gpu/kernel.ts";
import { verifyCommand } from "../../../workflows/cli/verify.ts";
import { goldenFolders, verifyGolden } from "../../../workflows/verify/golden.ts";
import { holds } from "../../../workflows/verify/result.ts";
import { assert, assertEquals } from "../../assert.ts";
import { runJson } from "../cli/run.ts"; // chooses the WebGPU back end, too

const OWN = new URL("../../golden", import.meta.url).pathname;

/** The schedules of the products that a device has compiled, as their kernels show them. */
function schedulesUsed(gpu: Gpu): string[] {
  const used = new Set<string>();
  for (const { kernel } of gpu.pipelines.values() as Iterable<CompiledKernel>) {
    const [, cut] = kernel.name.match(/^matmul_(nn|nt|tn|subgroup|tiled8?)$/) ?? [];
    if (cut === undefined) continue;
    const block = kernel.bindings.some(({ texture }) => texture) ? "textures" : "registers";
    used.add(cut.startsWith("tiled") ? cut : block);
  }
  return [...used].sort();
}

Deno.test("verify --matmul takes that schedule, and says so", async () => {
  const verify = (...more: string[]) =>
    runJson(verifyCommand(), "--golden", `${OWN}/kl`, "--matmul", ...more);
  const { code, json, stderr } = await verify("registers");
  assertEquals([code, json.passed], [0, 1], stderr);
  assert(stderr.includes("matrix products: registers, asked for\n"), stderr);
  const refused = await verify("fast");
  assertEquals(refused.code, 2);
  assert(refused.stderr.includes('no matmul schedule "fast"'), refused.stderr);
});

for (const matmul of MATMUL_SCHEDULES) {
  Deno.test(`golden cases, every product ${matmul}`, async () => {
    const gpu = await openGpu({ matmul, matmulEverywhere: true });
    for (const folder of await goldenFolders(OWN)) {
      const result = await verifyGolden(gpu, folder);
      assert(result.checks.length > 0, `${result.id}: nothing was checked`);
      assertEquals(result.checks.filter((check) => !holds(check)), [], result.id);
    }
    assertEquals(schedulesUsed(gpu), [matmul]);
    gpu.close();
  });
}
