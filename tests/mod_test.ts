/**
 * The two entry points: importing them does nothing, browsers can have the kernels, and everything public is documented.
 */
import { assert, assertEquals } from "./assert.ts";

const ROOT = new URL("../", import.meta.url);
const ENTRIES = ["mod.ts", "kernels/mod.ts"] as const;

async function deno(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    return await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const entry of ENTRIES) {
  Deno.test(`entry: importing ${entry} needs no permission, opens no device and says nothing`, async () => {
    await withFolder(async (folder) => {
      // The import is static, so `fails` stands in the way before a line of the entry runs.
      await Deno.writeTextFile(
        `${folder}/guard.ts`,
        `const fails = (what: string) => () => { throw new Error(what); };
         Object.defineProperty(navigator.gpu, "requestAdapter", { value: fails("a device") });
         globalThis.fetch = fails("the network") as typeof fetch;
         globalThis.Worker = fails("a worker") as unknown as typeof Worker;`,
      );
      const script = `${folder}/script.ts`;
      await Deno.writeTextFile(
        script,
        `import "./guard.ts";
         import * as entry from "${new URL(entry, ROOT)}";
         if (Object.keys(entry).length < 20) throw new Error("hardly anything is exported");`,
      );
      const config = new URL("deno.json", ROOT).pathname;
      const flags = ["--no-prompt", "--no-check", "--config", config];
      const { code, stdout, stderr } = await deno("run", ...flags, script);
      assertEquals([code, stdout], [0, ""], stderr);
      // Packages may be downloaded the first time; a package of JSR is only asked for when something runs.
      assertEquals(stderr.split("\n").filter((line) => line && !/^Download \S*npm/.test(line)), []);
    });
  });
}

Deno.test("entry: the kernels bundle for browsers, and the bundle knows no Deno", async () => {
  await withFolder(async (folder) => {
    const out = `${folder}/kernels.js`;
    const { code, stderr } = await deno("bundle", "--platform", "browser", "-o", out, ENTRIES[1]);
    assertEquals(code, 0, stderr);
    const bundle = await Deno.readTextFile(out);
    assert(bundle.includes("@compute"), "the shaders are inside");
    assertEquals(bundle.match(/\bDeno\.|\bfrom\s*"|\brequire\(/g), null);
  });
});

Deno.test("entry: everything public is documented", async () => {
  const { code, stderr } = await deno("doc", "--lint", ...ENTRIES);
  assertEquals(code, 0, stderr);
});

Deno.test("entry: the package can be published", async () => {
  const { code, stderr } = await deno("publish", "--dry-run", "--allow-dirty", "--no-check");
  assertEquals(code, 0, stderr);
});
