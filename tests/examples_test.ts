/**
 * The examples in the documentation, type-checked and run as a reader would run them.
 */
import { assertEquals } from "./assert.ts";

const ROOT = new URL("../", import.meta.url);

/** Files with examples that must run; every one that opens a device does so on the smallest of policies. */
const FILES = [
  "mod.ts",
  "kernels/mod.ts",
  "kernels/matmul/matmul.ts",
  "kernels/attention/attention.ts",
  "kernels/policy/config.ts",
  "kernels/policy/parameters.ts",
  "kernels/policy/generate.ts",
  "workflows/config/load.ts",
  "workflows/model_files/safetensors_write.ts",
  "workflows/nursery/mod.ts",
  "workflows/report/chart.ts",
  "workflows/pareto/adaptive.ts",
  "workflows/pareto/front.ts",
  "workflows/pareto/hypervolume.ts",
  "workflows/pareto/mod.ts",
  "workflows/safety/capacitor/mod.ts",
  "workflows/safety/invariants.ts",
  "workflows/safety/mod.ts",
  "workflows/safety/patterns/open.ts",
  "workflows/safety/perturbation/mod.ts",
  "workflows/stages/audit.ts",
  "workflows/stages/environments.ts",
  "workflows/stages/maturity.ts",
  "workflows/stages/mod.ts",
  "workflows/sweep/mod.ts",
  "workflows/theory/danskin.ts",
  "workflows/theory/degradation.ts",
  "workflows/theory/games/dynamics.ts",
  "workflows/theory/intervals.ts",
  "workflows/theory/safety_bounds.ts",
  "workflows/train/program.ts",
];

/** The project's configuration for `deno test --doc`, which adds imports of its own to each example and uses few of them. */
async function relaxedConfig(folder: string): Promise<string> {
  const { imports, compilerOptions } = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", ROOT)),
  );
  const path = `${folder}/deno.json`;
  const self = {
    "@infant/toolkit": new URL("mod.ts", ROOT).href,
    "@infant/toolkit/kernels": new URL("kernels/mod.ts", ROOT).href,
  };
  const options = { ...compilerOptions, noUnusedLocals: false };
  await Deno.writeTextFile(
    path,
    JSON.stringify({ imports: { ...imports, ...self }, compilerOptions: options }),
  );
  return path;
}

Deno.test("documentation: every example type-checks and runs", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const config = await relaxedConfig(folder);
    const report = `${folder}/junit.xml`;
    const options = ["--doc", "--allow-all", "--no-lock", "--config", config];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "--quiet", ...options, `--junit-path=${report}`, ...FILES],
      cwd: ROOT,
    }).output();
    const text = new TextDecoder();
    if (code !== 0) throw new Error(text.decode(stdout) + text.decode(stderr));
    const ran = [
      ...(await Deno.readTextFile(report)).matchAll(/<testcase [^>]*classname="([^"]+)"/g),
    ]
      .map(([, file]) => file.replace(/^\.\//, "").replace(/(\.ts).*/, "$1"));
    assertEquals(FILES.filter((file) => !ran.some((path) => path.endsWith(file))), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
