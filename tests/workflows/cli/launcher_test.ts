/** The launcher: what a command may do, what it is told, and how it ends. */
import { assert, assertEquals } from "../../assert.ts";

const script = (path: string) => new URL(path, import.meta.url).href;
const LAUNCHER = script("../../../workflows/cli/main.ts");

function launch(...args: string[]): Promise<Deno.CommandOutput> {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "-RWES", "--allow-run", LAUNCHER, ...args],
  }).output();
}

const COMMANDS = "train generate verify sweep sweep:worker bench doctor schema test".split(" ");
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("without a command it lists them", async () => {
  const { code, stdout } = await launch();
  assertEquals(code, 0);
  for (const name of COMMANDS) {
    assert(text(stdout).includes(`\n  ${name} `), `${name} is not listed`);
  }
});

Deno.test("the tasks of deno.json start the launcher's commands with the same permissions", async () => {
  const { tasks } = JSON.parse(
    await Deno.readTextFile(new URL("../../../deno.json", import.meta.url)),
  );
  for (const name of COMMANDS) {
    assertEquals(tasks[name], `deno run -q -RWES --allow-run workflows/cli/main.ts ${name}`);
  }
});

Deno.test("doctor tells the adapter, the way to it and where dependencies came from", async () => {
  const { code, stdout, stderr } = await launch("doctor", "--json");
  assertEquals(code, 0, text(stderr));
  const report = JSON.parse(text(stdout).trimEnd().split("\n").at(-1)!);
  assert(report.adapter.description.length > 0);
  assert(report.adapter.limits.maxStorageBufferBindingSize >= 2 ** 27);
  assert(report.dependencies["@std/yaml"].includes("in use: "));
  assertEquals(report.machine.deno, Deno.version.deno);
  if (Deno.build.os === "linux") {
    assertEquals(report.adapter.interface, "Vulkan");
    assert(report.adapter.libraries.some((file: string) => file.includes("libvulkan")));
    assert(report.drivers.length > 0 || report.setup.VK_DRIVER_FILES);
  }
});

Deno.test("doctor explains itself to people too", async () => {
  const { code, stdout } = await launch("doctor");
  assertEquals(code, 0);
  for (const title of ["machine", "set-up", "adapter", "limits", "dependencies"]) {
    assert(text(stdout).includes(`\n${title}\n`), `${title} is missing`);
  }
});

/** Runs a program around `runChild`, whose child runs `inner`. */
async function child(inner: string): Promise<{ code: number; lines: string[] }> {
  const module = (code: string) => `data:application/javascript,${encodeURIComponent(code)}`;
  const program = `import { runChild } from "${script("../../../workflows/cli/child.ts")}";
    Deno.exit(await runChild(["run", "--quiet", "--allow-all", ${
    JSON.stringify(module(inner))
  }]));`;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", module(program)],
  }).output();
  return { code, lines: text(stdout).split("\n").filter(Boolean) };
}

Deno.test("the child's exit code is handed on", async () => {
  assertEquals((await child("Deno.exit(7)")).code, 7);
});

Deno.test({
  name: "a signal reaches the child, which may save and end as it likes",
  ignore: Deno.build.os === "windows",
  async fn() {
    const { code, lines } = await child(
      `Deno.addSignalListener("SIGTERM", () => { console.log("saved"); Deno.exit(5); });
       setTimeout(() => console.log("not reached"), 20000);
       Deno.kill(Deno.ppid, "SIGTERM");`,
    );
    assertEquals([code, lines], [5, ["saved"]]);
  },
});
