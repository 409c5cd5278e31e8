/**
 * The whole kernel suite again, unchanged, on SwiftShader: a second Vulkan driver, with vectors of 4 in the place of 8 and other
 * ideas of what the functions of WGSL make of a NaN.
 *
 * A process of its own runs it, because drivers read their environment once. The driver comes from npm
 * (`workflows/setup/swiftshader.ts`), and stays in the cache folder.
 */
import { join } from "node:path";
import { InputError } from "../kernels/errors.ts";
import { readReport } from "../workflows/cli/test.ts";
import { type AdapterSetup, ensureAdapter } from "../workflows/setup/adapter.ts";
import { childEnvironment, system } from "../workflows/setup/system.ts";
import { assert, assertEquals } from "./assert.ts";

const ROOT = new URL("../", import.meta.url);

/**
 * A module that imports all test files below a folder. They share the harness and its device, so that a pipeline that several files need
 * is compiled once: most of the time goes into the driver's compiler.
 */
function imports(folder: string): string {
  return [...Deno.readDirSync(new URL(folder, ROOT))].map(({ name, isDirectory }) =>
    isDirectory
      ? imports(`${folder}${name}/`)
      : name.endsWith("_test.ts")
      ? `import ${JSON.stringify(new URL(folder + name, ROOT).href)};\n`
      : ""
  ).sort().join("");
}

/** The way to SwiftShader, or why there is none. */
async function findSwiftShader(): Promise<AdapterSetup | string> {
  try {
    return await ensureAdapter("swiftshader", (line) => console.error(line));
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

const setup = await findSwiftShader();
const reason = typeof setup === "string" ? ` (skipped: ${setup})` : "";

Deno.test({
  name: `kernels on SwiftShader${reason}`,
  ignore: typeof setup === "string",
  fn: async (t) => {
    const swiftshader = setup as AdapterSetup;
    await t.step("a process with its environment finds SwiftShader and nothing else", async () => {
      const found = await system.probe(swiftshader, undefined);
      assertEquals(found.length, 1);
      assert(found[0].description.startsWith("SwiftShader Device"), found[0].description);
    });
    const folder = await Deno.makeTempDir({ prefix: "infant-" });
    const [report, suite] = [join(folder, "report.xml"), join(folder, "suite.ts")];
    try {
      await Deno.writeTextFile(suite, imports("tests/kernels/"));
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "test",
          "--quiet",
          "--allow-all",
          "--no-check",
          "--config=deno.json",
          `--junit-path=${report}`,
          suite,
        ],
        cwd: ROOT,
        env: childEnvironment(swiftshader),
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      const cases = readReport(await Deno.readTextFile(report));
      for (const { name, outcome } of cases) {
        const fn = () => assert(outcome !== "failed", text(stdout));
        await t.step({ name, ignore: outcome === "skipped", fn });
      }
      assert(success && cases.length > 0, text(stdout) + text(stderr));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
