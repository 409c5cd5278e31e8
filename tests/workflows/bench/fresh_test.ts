/** Fresh processes: the cache folder is empty at the first start, kept for the second, gone afterwards. */
import type { Task } from "../../../workflows/bench/contest.ts";
import type { Contestant } from "../../../workflows/bench/contestant.ts";
import { freshStart } from "../../../workflows/bench/fresh.ts";
import { startToolkit } from "../../../workflows/bench/peers/start.ts";
import { TINY } from "../../../workflows/bench/policies.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";

/** A library whose driver keeps 100 bytes of shaders in its folder, and is slow where there are none. */
function fake(folders: string[], ended: string[]) {
  return async (env: Readonly<Record<string, string>>): Promise<Contestant> => {
    const folder = env.MESA_SHADER_CACHE_DIR;
    folders.push(folder);
    const empty = (await Array.fromAsync(Deno.readDir(folder))).length === 0;
    return {
      name: "fake",
      version: "0",
      adapter: "fake",
      native: false,
      async open(task: Task) {
        if (task.kind === "copy") throw new Error("no copies");
        await Deno.mkdir(`${folder}/shaders`, { recursive: true });
        await Deno.writeFile(`${folder}/shaders/a`, new Uint8Array(100));
        return {
          cold: { ms: empty ? 50 : 5, cpuMs: empty ? 40 : 4, rss: 7 },
          answers: [],
          run: () => Promise.resolve({ ms: 1, cpuMs: 1, rss: empty ? 900 : 300 }),
          close: () => Promise.resolve(),
        };
      },
      end: () => Promise.resolve(void ended.push(folder)),
    };
  };
}

Deno.test("fresh: the first start finds no shader, the second those of the first", async () => {
  const [folders, ended]: string[][] = [[], []];
  const start = await freshStart(fake(folders, ended), { kind: "wait" });
  assertEquals(start, {
    coldMs: 50,
    coldCpuMs: 40,
    warmMs: 5,
    peakMemory: 300,
    shaderBytes: 100,
  });
  assertEquals(folders[0], folders[1]);
  assertEquals(ended, folders);
  await assertRejects(() => Deno.stat(folders[0]), Deno.errors.NotFound);
});

Deno.test("fresh: a process that fails is ended, and its folder is removed", async () => {
  const [folders, ended]: string[][] = [[], []];
  const task = { kind: "copy", bytes: 4 } as const;
  await assertRejects(() => freshStart(fake(folders, ended), task), Error, "no copies");
  assertEquals(ended, folders);
  await assertRejects(() => Deno.stat(folders[0]), Deno.errors.NotFound);
});

Deno.test("fresh: the toolkit's own process compiles its shaders, once", async () => {
  const { software } = (await testGpu()).info; // also sets the driver's variables
  const task = { kind: "kernel", operation: "norm", backward: false, ...TINY } as const;
  const { coldMs, warmMs, peakMemory, shaderBytes } = await freshStart(
    (env) => startToolkit({ env }),
    task,
  );
  assert(warmMs > 0 && peakMemory > 2 ** 24);
  // Only Mesa is known to keep its shaders where it is told.
  if (software) assert(shaderBytes > 0 && coldMs > warmMs, `${coldMs} ${warmMs} ${shaderBytes}`);
});
