/**
 * The tuned choice: measured, kept, used, overridden; and left aside when its file is not to be trusted.
 */
import { join } from "node:path";
import { InputError } from "../../../kernels/errors.ts";
import { defaultMatmul, openGpu } from "../../../kernels/gpu/device.ts";
import { chooseMatmul, openDevice } from "../../../workflows/setup/open.ts";
import { fastest, tune, tuningTable } from "../../../workflows/setup/tuning.ts";
import {
  readTuning,
  type Tuning,
  tuningPath,
  writeTuning,
} from "../../../workflows/setup/tuning_file.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../assert.ts";
import "../../kernels/harness.ts"; // chooses the WebGPU back end

const CARD = { vendor: "acme", architecture: "", description: "Acme GPU (v1.2)", software: false };

const TUNING: Tuning = {
  version: 1,
  adapter: { vendor: "acme", architecture: "", description: "Acme GPU (v1.2)" },
  date: "2026-11-21T10:00:00.000Z",
  toolkit: "0.1.0",
  deno: "2.9.6",
  clock: "wall",
  matmul: "tiled8",
  shapes: ["8 x 8 -> 8"],
  candidates: [{ matmul: "tiled", ms: [2] }, { matmul: "tiled8", ms: [1] }],
};

/** Runs with a cache folder of its own and collects what is said. */
async function inFolder(run: (folder: string, said: string[]) => unknown): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "infant-tuning-" });
  try {
    await run(folder, []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("tuning measures every candidate of the adapter's class and keeps what it found", () =>
  inFolder(async (folder, said) => {
    const say = (line: string) => said.push(line);
    const layers = [{ rows: 32, inner: 20, out: 24 }, { rows: 17, inner: 5, out: 3 }];
    const { tuning, info } = await tune(say, { layers, effort: { rounds: 2, turnMs: 5 } });
    assertEquals(said, ["linear layer 32 x 20 -> 24", "linear layer 17 x 5 -> 3"]);
    assertEquals(tuning.shapes, ["32 x 20 -> 24", "17 x 5 -> 3"]);
    assert(tuning.candidates.some(({ matmul }) => matmul === defaultMatmul(info)));
    assert(tuning.candidates.length > 1 && tuning.candidates.every(({ ms }) => ms.length === 2));
    assertEquals(tuning.matmul, fastest(tuning.candidates, defaultMatmul(info)));
    const path = await writeTuning(info, tuning, folder);
    assertEquals(readTuning(info, say, folder), tuning);
    assertEquals([...Deno.readDirSync(join(folder, "tuning"))].length, 1, "nothing but the file");
    assert(path.startsWith(folder) && said.length === 2);
  }));

Deno.test("a kept choice is used, one asked for comes first, and both are said", () =>
  inFolder(async (folder, said) => {
    const say = (line: string) => said.push(line);
    const plain = await openDevice({}, say, folder);
    plain.close();
    assertEquals([plain.matmulSchedule, said], [defaultMatmul(plain.info), []]);
    const { vendor, architecture, description } = plain.info;
    const adapter = { vendor, architecture, description };
    await writeTuning(plain.info, { ...TUNING, adapter, matmul: "registers" }, folder);
    const tuned = await openDevice({}, say, folder);
    tuned.close();
    assertEquals(tuned.matmulSchedule, "registers");
    const asked = await openDevice({ matmul: "tiled8" }, say, folder);
    asked.close();
    assertEquals(asked.matmulSchedule, "tiled8");
    assertEquals(said, [
      "matrix products: registers, the fastest measured here on 2026-11-21",
      "matrix products: tiled8, asked for",
    ]);
  }));

Deno.test("a schedule that does not exist is refused with those that do", async () => {
  const why = '--matmul: there is no matmul schedule "fast": choose from textures, registers';
  await assertRejects(() => openDevice({ matmul: "fast" }, () => {}), InputError, why);
  assertThrows(() => chooseMatmul(CARD, "fast", () => {}), InputError, why);
  // deno-lint-ignore no-explicit-any
  await assertRejects(() => openGpu({ matmul: "fast" as any }), InputError, "matmul: there is no");
});

Deno.test("adapters are told apart, and none without a file has a choice", () =>
  inFolder(async (folder, said) => {
    const say = (line: string) => said.push(line);
    await writeTuning(CARD, TUNING, folder);
    assertEquals(chooseMatmul(CARD, null, say, folder).schedule, "tiled8");
    const other = { ...CARD, description: "Acme GPU (v1.3)" };
    const choice = chooseMatmul(other, undefined, say, folder);
    assertEquals([choice.schedule, choice.byDefault, said], ["tiled", true, []]);
  }));

const SPOILT: readonly [name: string, text: string, says: string][] = [
  ["is empty", "", "JSON"],
  ["is cut short", JSON.stringify(TUNING).slice(0, 100), "JSON"],
  ["names no schedule", JSON.stringify({ ...TUNING, matmul: "fast" }), "matmul: "],
  ["is of another format", JSON.stringify({ ...TUNING, version: 2 }), "version: "],
  ["has more in it", JSON.stringify({ ...TUNING, more: 1 }), "Unrecognized key"],
  [
    "is of another adapter",
    // Its name makes the same file name.
    JSON.stringify({ ...TUNING, adapter: { ...TUNING.adapter, description: "acme gpu v1 2" } }),
    "it is of another adapter, acme gpu v1 2",
  ],
];

for (const [name, text, says] of SPOILT) {
  Deno.test(`a file that ${name} is left aside with one line`, () =>
    inFolder(async (folder, said) => {
      const path = tuningPath(CARD, folder);
      await Deno.mkdir(join(folder, "tuning"));
      await Deno.writeTextFile(path, text);
      const say = (line: string) => said.push(line);
      assertEquals(chooseMatmul(CARD, null, say, folder).schedule, "tiled");
      assertEquals(said.length, 1);
      assert(said[0].startsWith(`${path} is left aside: `) && !said[0].includes("\n"), said[0]);
      assert(said[0].includes(says), said[0]);
    }));
}

Deno.test("the default stays unless another is clearly faster over all shapes", () => {
  const times = (tiled: number[], tiled8: number[]) =>
    fastest([{ matmul: "tiled", ms: tiled }, { matmul: "tiled8", ms: tiled8 }], "tiled");
  assertEquals(times([10, 10], [9.8, 9.8]), "tiled", "noise");
  assertEquals(times([10, 10], [9, 9]), "tiled8");
  assertEquals(times([1, 100], [1.5, 60]), "tiled8", "0.95 of the geometric mean");
  assertEquals(times([1, 100], [1.6, 60]), "tiled");
});

Deno.test("the table shows every candidate and marks the chosen one", () => {
  const lines = tuningTable(TUNING).split("\n");
  assertEquals(lines.slice(-3), [
    "           8 x 8 -> 8     mean",
    "tiled            2.00   2.00 x",
    "tiled8 *         1.00   1.00 x",
  ]);
});
