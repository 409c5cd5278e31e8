/**
 * The software driver from npm, really fetched and unpacked: by a child process, as commands use it, and inside a
 * running process, as notebooks do.
 */
import { ensureAdapter } from "../../../workflows/setup/adapter.ts";
import { cacheFolder } from "../../../workflows/setup/system.ts";
import { unpackSwiftShader } from "../../../workflows/setup/swiftshader.ts";
import { assert, assertEquals } from "../../assert.ts";

const shipped = Deno.build.os === "linux" && Deno.build.arch === "x86_64";
const here = await Deno.stat(`${cacheFolder()}/swiftshader`).then(() => true, () => false);
const wanted = shipped && (here || Deno.env.has("CI"));
const reason = wanted
  ? ""
  : shipped
  ? " (skipped: fetches 68 MB, set CI=1)"
  : " (skipped: not shipped for this machine)";

Deno.test({
  name: `SwiftShader is unpacked once and found by a process that is given its folder${reason}`,
  ignore: !wanted,
  async fn() {
    const said: string[] = [];
    const first = await ensureAdapter("swiftshader", (line) => said.push(line));
    assert(first.adapter.description.includes("SwiftShader") && first.adapter.software);
    const again = await unpackSwiftShader(cacheFolder(), (line) => said.push(`again: ${line}`));
    assertEquals(again?.folder, first.loaderFolder);
    assert(said.every((line) => !line.startsWith("again: ")), said.join("\n"));
    assertEquals([...Deno.readDirSync(first.loaderFolder!)].map(({ name }) => name).sort(), [
      "libvk_swiftshader.so",
      "libvulkan.so.1",
      "vk_swiftshader_icd.json",
    ]);
  },
});

Deno.test({
  name: `a running process can be given SwiftShader and its loader${reason}`,
  ignore: !wanted,
  async fn() {
    const module = new URL("../../../workflows/setup/process.ts", import.meta.url).href;
    const program = `import { prepareAdapter } from "${module}";
      await prepareAdapter("swiftshader");
      console.log((await navigator.gpu.requestAdapter())?.info.description);`;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", "--ext=ts", program],
      stderr: "null",
    }).output();
    assert(new TextDecoder().decode(stdout).includes("SwiftShader"));
  },
});
