/**
 * The command verify: everything it checks passes here, and whatever is spoilt in a case makes it
 * fail.
 */
import { join } from "node:path";
import { verifyCommand } from "../../../workflows/cli/verify.ts";
import { readSafetensors } from "../../../workflows/model_files/safetensors.ts";
import {
  type TensorToWrite,
  writeSafetensors,
} from "../../../workflows/model_files/safetensors_write.ts";
import { selfTest } from "../../../workflows/verify/self_test.ts";
import { assert, assertEquals } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";
import { sharedTest } from "../../shared.ts";
import { type Ended, runJson } from "../cli/run.ts";

const OWN = new URL("../../golden", import.meta.url).pathname;
const verify = (...args: string[]): Promise<Ended> => runJson(verifyCommand(), ...args);

function checkGolden({ code, json, stderr }: Ended): void {
  assertEquals([code, json.failed], [0, 0], stderr);
  assertEquals(json.passed, 11);
  assertEquals(json.passed, json.cases.length);
  assertEquals(json.not_covered.filter((name: string) => name.includes(": ")), []);
}

Deno.test("verify: the project's golden cases", async () =>
  checkGolden(await verify("--golden", OWN)));

sharedTest(
  "verify: PyTorch's golden cases",
  ["golden"],
  async (folder) => checkGolden(await verify("--golden", folder)),
);

Deno.test("verify: equivalence classes", async () => {
  const { code, json, stderr } = await verify("--invariants");
  assertEquals([code, json.passed, json.failed], [0, 4, 0], stderr);
  const ids = json.cases.map(({ id }: { id: string }) => id);
  assertEquals(ids, ["accumulated", "recomputed", "resumed", "replayed"]);
});

Deno.test("verify: the self-test covers every room of kernels", async () => {
  const results = await selfTest(await testGpu());
  assertEquals(results.filter(({ ok }) => !ok), []);
  const rooms = [...Deno.readDirSync(new URL("../../../kernels", import.meta.url))]
    .filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
  // Device and policy are no kernels; random numbers are part of dropout and sampling; roofs are
  // measured by the benchmarks.
  const others = ["gpu", "policy", "random", "roof"];
  const expected = rooms.filter((room) => !others.includes(room));
  assertEquals(results.map(({ id }) => id).sort(), expected.sort());
});

/** A copy of a case under another name, changed, and how its verification ended. */
async function spoilt(
  from: string,
  change: (folder: string) => Promise<void>,
  to = from,
): Promise<Ended> {
  const parent = await Deno.makeTempDir();
  try {
    const folder = join(parent, to);
    await Deno.mkdir(folder);
    for (const { name } of Deno.readDirSync(join(OWN, from))) {
      await Deno.copyFile(join(OWN, from, name), join(folder, name));
    }
    await change(folder);
    return await verify("--golden", parent);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

async function changeJson(
  path: string,
  // deno-lint-ignore no-explicit-any
  change: (json: any) => void,
): Promise<void> {
  const json = JSON.parse(await Deno.readTextFile(path));
  change(json);
  await Deno.writeTextFile(path, JSON.stringify(json));
}

async function changeTensor(
  path: string,
  name: string,
  change: (data: Float32Array) => Float32Array | null,
): Promise<void> {
  const tensors: TensorToWrite[] = [];
  for (const [key, tensor] of await readSafetensors(path)) {
    const data = key === name ? change(tensor.data as Float32Array) : tensor.data;
    if (data) tensors.push({ name: key, shape: tensor.shape, data });
  }
  await writeSafetensors(path, tensors);
}

const GRADIENT = "grad_kl_theta_prior.model.layers.0.mlp.up_proj.weight";
const expected =
  (name: string, change: (data: Float32Array) => Float32Array | null) => (folder: string) =>
    changeTensor(join(folder, "expected.safetensors"), name, change);

Deno.test("verify: a wrong expectation, or another model, fails and names the place", async () => {
  const off = await spoilt("kl", expected(GRADIENT, (g) => g.map((v) => v * 1.0003)), "kl-seed-2");
  assertEquals([off.code, off.json.failed, off.json.cases[0].id], [1, 1, "kl-seed-2"]);
  assert(Math.abs(off.json.cases[0].worst - 3e-4) < 1e-5, off.stderr);
  assert(off.stderr.includes(`FAILED at ${GRADIENT.slice(GRADIENT.indexOf(".") + 1)}`), off.stderr);

  const nan = await spoilt("kl", expected(GRADIENT, (g) => g.map((v, i) => i === 0 ? NaN : v)));
  assertEquals([nan.code, nan.json.failed], [1, 1]);

  const eps = await spoilt(
    "llama-tiny",
    (folder) => changeJson(join(folder, "config.json"), (config) => config.rms_norm_eps *= 100),
  );
  assertEquals([eps.code, eps.json.failed], [1, 1]);

  const token = await spoilt(
    "gpt2-tiny",
    (folder) =>
      changeJson(join(folder, "expected.json"), (numbers) => numbers.generated_ids[3] += 1),
  );
  assert(/generated ids, cached +1\.0e\+0 +0 +FAILED/.test(token.stderr), token.stderr);

  const penalty = await spoilt(
    "ewc",
    (folder) => changeJson(join(folder, "inputs.json"), (inputs) => inputs.kappa *= 1.001),
  );
  assertEquals([penalty.code, penalty.json.failed], [1, 1]);
});

Deno.test("verify: kinds it does not know are not covered; nothing checked is no success", async () => {
  const { code, json, stderr } = await spoilt("kl", () => Promise.resolve(), "ppo");
  assertEquals([code, json], [1, { passed: 0, failed: 0, cases: [], not_covered: ["ppo"] }]);
  assert(stderr.includes("not covered by this build: ppo"), stderr);
});

Deno.test("verify: malformed cases and files are exit code 2 and one line", async () => {
  const inputs = (change: (json: Record<string, unknown>) => void) => (folder: string) =>
    changeJson(join(folder, "inputs.json"), change);
  const remove = (name: string) => (folder: string) => Deno.remove(join(folder, name));
  const cases: readonly [says: string, ended: Promise<Ended>][] = [
    ["inputs.json does not exist", spoilt("kl", remove("inputs.json"))],
    ["model.safetensors does not exist", spoilt("kl", remove("model.safetensors"))],
    [`"${GRADIENT}" is missing`, spoilt("kl", expected(GRADIENT, () => null))],
    ["inputs.json: rhos", spoilt("kl", inputs((json) => json.rhos = "all"))],
    ["rows of one length", spoilt("kl", inputs((json) => json.labels = [[1, 2], [3]]))],
    ["differ in shape", spoilt("kl", inputs((json) => json.labels = [[1, 2], [3, 4]]))],
    [
      "kl: token id",
      spoilt("kl", inputs((json) => (json.input_ids as number[][])[0][0] = 10 ** 6)),
    ],
    [
      "expected.json: ce",
      spoilt(
        "kl",
        (folder) => changeJson(join(folder, "expected.json"), (numbers) => delete numbers.ce),
      ),
    ],
    [
      "not valid JSON",
      spoilt("kl", (folder) => Deno.writeTextFile(join(folder, "expected.json"), "{")),
    ],
    ["no golden cases here", verify("--golden", join(OWN, "..", "workflows"))],
    ["does not exist", verify("--golden", "no-such-folder")],
    ["does not exist", verify("--answers", "no-such-file.json")],
    ["cases", verify("--answers", join(OWN, "kl", "inputs.json"))],
  ];
  for (const [says, promise] of cases) {
    const { code, json, stderr } = await promise;
    assertEquals(code, 2, `${says}: ${stderr}`);
    assert(json.error.includes(says), `${says}: ${stderr}`);
  }
});

Deno.test("verify: known answers pass, and one that is off fails", async () => {
  const path = join(OWN, "answers.json");
  const { code, json, stderr } = await verify("--answers", path);
  assertEquals([code, json.passed, json.failed, json.not_covered], [0, 7, 0, []], stderr);
  const folder = await Deno.makeTempDir();
  try {
    const copy = join(folder, "answers.json");
    await Deno.copyFile(path, copy);
    await changeJson(copy, ({ cases }) => {
      cases[1].expected.cpUpper += 1e-9;
      cases[2].expected.bayesUpper = 0.5;
      cases[3].id = "infant.unheard-of/1";
    });
    const off = await verify("--answers", copy);
    assertEquals([off.code, off.json.passed, off.json.failed], [1, 5, 1], off.stderr);
    assertEquals(off.json.not_covered, [`${json.cases[2].id}: bayesUpper`, "infant.unheard-of/1"]);
    await changeJson(copy, ({ cases }) => cases[0].inputs.k = "many");
    const malformed = await verify("--answers", copy);
    assertEquals(malformed.code, 2);
    assert(malformed.json.error.startsWith("infant.binomial-interval/1: inputs.k"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
