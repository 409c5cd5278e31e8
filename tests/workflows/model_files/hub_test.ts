/** Models by hub name, from a stand-in for the hub. */
import { InputError } from "../../../kernels/errors.ts";
import { localModel } from "../../../workflows/model_files/hub.ts";
import { loadModel } from "../../../workflows/model_files/load_model.ts";
import { saveModel } from "../../../workflows/model_files/save_model.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";
import { withFolder } from "../data/helpers.ts";
import { COMMIT, startHub } from "../data/stand_in_hub.ts";
import { CONFIGS, randomWeights } from "./fixtures.ts";

const weights = randomWeights(CONFIGS.gpt2);

/** A hub with a model folder, files that belong to none, and one file in a folder. */
async function modelHub(): Promise<ReturnType<typeof startHub>> {
  const folder = await Deno.makeTempDir();
  await saveModel(folder, weights);
  const files: Record<string, Uint8Array<ArrayBuffer>> = {
    "pytorch_model.bin": new Uint8Array(9),
    "README.md": new Uint8Array(9),
    "below/tokenizer.bin": new Uint8Array([1, 2, 3]),
  };
  for (const { name } of Deno.readDirSync(folder)) {
    files[name] = Deno.readFileSync(`${folder}/${name}`);
  }
  await Deno.remove(folder, { recursive: true });
  return startHub(files);
}

Deno.test("a hub model is downloaded once, without what is no part of it, and loads again without the hub", () =>
  withFolder(async (cacheDir) => {
    const stand = await modelHub();
    const warnings: string[] = [];
    const hub = { hubUrl: stand.url, cacheDir, warn: (line: string) => warnings.push(line) };
    try {
      const model = await loadModel("hub:org/set", { hub });
      assertEquals(model.weights, weights);
      const downloads = () => stand.requests.filter((path) => path.includes("/resolve/")).length;
      const before = downloads();
      await loadModel("hub:org/set@main", { hub });
      assertEquals(downloads(), before, "cached files are not asked for again");
      assert(!stand.requests.some((path) => /pytorch|README|tokenizer/.test(path)));
      const file = await localModel("hub:org/set@v1:below/tokenizer.bin", hub);
      assertEquals(file, `${cacheDir}/org--set/${COMMIT}/below/tokenizer.bin`);
      assertEquals([...await Deno.readFile(file)], [1, 2, 3]);
      await assertRejects(() => localModel("hub:org/set:gone", hub), InputError, "no file gone");
      await assertRejects(
        () => localModel("hub:org/other", hub),
        InputError,
        "check the name and revision; a private or gated model needs an access token",
      );
    } finally {
      await stand.stop();
    }
    assertEquals(warnings, []);
    assertEquals((await loadModel("hub:org/set", { hub })).weights, weights);
    assert(warnings[0].includes("read from the cache (0123456789ab)"), warnings[0]);
  }));

Deno.test("a repository without a model folder names what it has", () =>
  withFolder(async (cacheDir) => {
    const stand = startHub({ "stories15M.bin": new Uint8Array(4) });
    try {
      await assertRejects(
        () => localModel("hub:org/set", { hubUrl: stand.url, cacheDir }),
        InputError,
        "name one file as hub:org/set:PATH, it has stories15M.bin",
      );
    } finally {
      await stand.stop();
    }
  }));

Deno.test("offline without a cache, or under a wrong name: one line", () =>
  withFolder(async (cacheDir) => {
    const stand = startHub({});
    await stand.stop();
    const error = await assertRejects(
      () => loadModel("hub:org/set", { hub: { hubUrl: stand.url, cacheDir } }),
      InputError,
      "pass the path of a local copy",
    );
    assert(!error.message.includes("\n"));
    await assertRejects(() => loadModel("hub:org"), InputError, "hub:OWNER/NAME[@REVISION][:PATH]");
  }));
