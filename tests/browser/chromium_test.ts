/**
 * The whole kernel suite again, unchanged, in headless Chromium: another WGSL compiler and another WebGPU implementation.
 */
import { assertEquals } from "../assert.ts";
import { findChromium, runInChromium } from "./chromium.ts";
import type { Report } from "./reports.ts";

const TESTS = new URL("../", import.meta.url);
const KERNELS = new URL("../../kernels/", import.meta.url);

/** Paths under `root` of the files below `folder` whose name ends so. */
function filesBelow(root: URL, folder: string, ending: string): string[] {
  return [...Deno.readDirSync(new URL(folder, root))].flatMap(({ name, isDirectory }) =>
    isDirectory
      ? filesBelow(root, `${folder}${name}/`, ending)
      : name.endsWith(ending)
      ? [folder + name]
      : []
  ).sort();
}

const chromium = findChromium();
const reason = chromium ? "" : " (skipped: no chromium or google-chrome on PATH)";

Deno.test({
  name: `kernels in Chromium${reason}`,
  ignore: chromium === null,
  fn: async (t) => {
    const files = filesBelow(TESTS, "kernels/", "_test.ts");
    let end: Extract<Report, { kind: "end" }> | undefined;
    for await (const report of runInChromium(chromium!, files)) {
      if (report.kind === "end") end = report;
      if (report.kind !== "test" && report.kind !== "skipped") continue;
      const { kind, file, name } = report;
      const fn = () => {
        if (kind === "test" && report.error !== null) throw new Error(report.error);
      };
      await t.step({ name: `${file}: ${name}`, ignore: kind === "skipped", fn });
    }
    await t.step("the adapter is Chromium's SwiftShader", () => {
      assertEquals(end!.adapter, "google swiftshader");
    });
    await t.step("every shader that the adapter can run was dispatched", () => {
      const missed = filesBelow(KERNELS, "", ".wgsl").filter((path) => {
        const shader = Deno.readTextFileSync(new URL(path, KERNELS));
        if (shader.includes("<f16>") && !end!.hasF16) return false;
        // Chrome's compiler refuses what Deno's wants: functions of subgroups without `enable subgroups;`.
        if (/subgroup\w*\(/.test(shader) && !shader.includes("enable subgroups;")) return false;
        // Constants are filled in and loops unrolled; what stays of a file is its title.
        const [title] = shader.split(/[$\n]/, 1);
        return !end!.shaders.some((code) => code.includes(title));
      });
      assertEquals(missed, []);
    });
  },
});
