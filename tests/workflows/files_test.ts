/** Files are whole or absent, and the operating system's refusals become one line of advice. */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { fileProblem, writeFileAtomic, writeFolderAtomic } from "../../workflows/files.ts";
import { assertEquals, assertRejects } from "../assert.ts";
import { CANNOT_MOUNT, mountDisk } from "../small_disk.ts";

async function inTemporaryFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("a file is written with its missing folders and nothing else beside it", () =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, "a", "b.txt");
    await writeFileAtomic(path, "one");
    await writeFileAtomic(path, new Uint8Array([50]));
    assertEquals(await Deno.readTextFile(path), "2");
    assertEquals(names(join(folder, "a")), ["b.txt"]);
  }));

Deno.test("a file that cannot be replaced leaves no temporary file", () =>
  inTemporaryFolder(async (folder) => {
    await Deno.mkdir(join(folder, "taken", "inside"), { recursive: true });
    await assertRejects(
      () => writeFileAtomic(join(folder, "taken"), "x"),
      InputError,
      "is a folder",
    );
    assertEquals(names(folder), ["taken"]);
  }));

Deno.test("a folder is replaced whole", () =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, "checkpoint");
    await writeFolderAtomic(path, (at) => Deno.writeTextFile(join(at, "old"), "1"));
    await writeFolderAtomic(path, (at) => Deno.writeTextFile(join(at, "new"), "2"));
    assertEquals(names(path), ["new"]);
    assertEquals(names(folder), ["checkpoint"]);
  }));

Deno.test("a folder whose filling fails leaves the old one as it was", () =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, "checkpoint");
    await writeFolderAtomic(path, (at) => Deno.writeTextFile(join(at, "old"), "1"));
    const fill = async (at: string) => {
      await Deno.writeTextFile(join(at, "half"), "2");
      throw new RangeError("stop");
    };
    await assertRejects(() => writeFolderAtomic(path, fill), RangeError, "stop");
    assertEquals(names(path), ["old"]);
    assertEquals(names(folder), ["checkpoint"]);
  }));

Deno.test("a file where a folder is needed is named", () =>
  inTemporaryFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "file"), "");
    const below = join(folder, "file", "below");
    await assertRejects(() => writeFileAtomic(below, ""), InputError, "a file is in the way");
    await assertRejects(
      () => writeFolderAtomic(below, () => {}),
      InputError,
      "runs through a file",
    );
  }));

Deno.test("problems name the path that the system names, and bugs stay bugs", async () => {
  const missing = await Deno.readTextFile("/no/such/file").catch((error) => error);
  assertEquals(fileProblem(missing)?.message, "/no/such/file does not exist: check the path");
  assertEquals(fileProblem(new TypeError("x is undefined")), null);
  assertEquals(fileProblem("thrown text"), null);
});

const disk = await mountDisk(64);
Deno.test({
  name: `a full disk is told as such, and no half file stays${disk ? "" : CANNOT_MOUNT}`,
  ignore: disk === null,
  async fn() {
    const { folder, release } = disk!;
    try {
      const path = join(folder, "weights");
      await writeFileAtomic(path, "old");
      const tooMuch = new Uint8Array(200_000);
      await assertRejects(() => writeFileAtomic(path, tooMuch), InputError, "the disk is full");
      assertEquals(names(folder), ["weights"]);
      assertEquals(await Deno.readTextFile(path), "old");
    } finally {
      await release();
    }
  },
});

/** Runs a program that has `onInterrupt` and `raise(signal)`, and gives what it printed and how it ended. */
async function interrupted(
  program: string,
): Promise<{ lines: string[]; code: number; signal: string | null }> {
  const file = new URL("../../workflows/files.ts", import.meta.url).href;
  const code = `import { onInterrupt } from "${file}";
    const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
    const raise = async (signal) => { Deno.kill(Deno.pid, signal); await sleep(50); };
    ${program}`;
  const output = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      "--allow-all",
      `data:application/javascript,${encodeURIComponent(code)}`,
    ],
  }).output();
  const lines = new TextDecoder().decode(output.stdout).split("\n").filter(Boolean);
  return { lines, code: output.code, signal: output.signal };
}

const ignore = Deno.build.os === "windows";

Deno.test({
  name: "the first interrupt asks to stop, its echo is ignored, a second press ends the process",
  ignore,
  async fn() {
    const { lines, code } = await interrupted(
      `onInterrupt((signal) => console.log("asked", signal));
      await raise("SIGINT"); await raise("SIGTERM"); await sleep(600);
      console.log("still there"); await raise("SIGINT"); await sleep(5000); console.log("not reached");`,
    );
    assertEquals(lines, ["asked SIGINT", "still there"]);
    assertEquals(code, 130);
  },
});

Deno.test({
  name: "disposing gives the signals back",
  ignore,
  async fn() {
    const { lines, signal } = await interrupted(
      `{ using _ = onInterrupt(() => console.log("asked")); } await raise("SIGTERM"); await sleep(5000);
      console.log("not reached");`,
    );
    assertEquals(lines, []);
    assertEquals(signal, "SIGTERM");
  },
});
