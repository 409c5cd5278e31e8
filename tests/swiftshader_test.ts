/**
 * The whole kernel suite again, unchanged, on SwiftShader: a second Vulkan driver, with vectors of 4 in the place of 8 and other
 * ideas of what the functions of WGSL make of a NaN.
 *
 * A process of its own runs it, because drivers read their environment once. The driver comes from npm
 * (`workflows/setup/swiftshader.ts`), and stays in the cache folder.
 */
import { InputError } from "../kernels/errors.ts";
import { readReport } from "../workflows/cli/test.ts";
import { type AdapterSetup, ensureAdapter } from "../workflows/setup/adapter.ts";
import { childEnvironment, system } from "../workflows/setup/system.ts";
import { assert, assertEquals } from "./assert.ts";

const ROOT = new URL("../", import.meta.url);

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
    const report = await Deno.makeTempFile({ prefix: "infant-", suffix: ".xml" });
    try {
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "test",
          "--parallel", // most of the time goes into the driver's compiler, which uses one core
          "--quiet",
          "--allow-all",
          "--no-check",
          `--junit-path=${report}`,
          "tests/kernels",
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
      await Deno.remove(report);
    }
  },
});
