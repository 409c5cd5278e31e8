/**
 * Bad models, data, checkpoints and sizes: exit code 2, exactly one line on stderr that says what to change, and nothing
 * written, neither in `--out` nor beside it. (Bad options and configurations are in `tests/workflows/cli`.)
 *
 * The command runs in this process, around the real trainer; the last test does the same across processes.
 */
import { join } from "node:path";
import { runCommand } from "../../../workflows/cli/command.ts";
import { trainCommand } from "../../../workflows/cli/train.ts";
import { resolveConfig } from "../../../workflows/config/resolve.ts";
import { saveModel } from "../../../workflows/model_files/save_model.ts";
import { startingPolicy } from "../../../workflows/train/policy_source.ts";
import { train } from "../../../workflows/train/trainer.ts";
import { assert, assertEquals } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";
import { gzip } from "../data/helpers.ts";
import { CONFIGS, randomWeights } from "../model_files/fixtures.ts";
import { filesBelow, inFolder, runTrain, TINY } from "./helpers.ts";

await testGpu(); // sets the environment that an adapter needs

/** A policy of the nursery on disk. */
const { config: tiny } = resolveConfig({ overrides: TINY });
const start = await startingPolicy(tiny);
const saveStart = (folder: string) =>
  saveModel(join(folder, "model"), start.weights, { tokenizer: start.tokenizer });

const ROW = '{"prompt": "what is red ?", "completion": "a rose ."}\n';

interface BadInput {
  readonly name: string;
  /** Makes the files and returns the arguments after `--out`. */
  readonly make: (folder: string) => Promise<readonly string[]> | readonly string[];
  /** What the line must say. */
  readonly says: string;
}

/** One stage on a data file. */
const stageOn = (data: string, more = "") =>
  `stages=[{name: one, kind: language_modelling, steps: 2, length: 16, batch_size: 1, ` +
  `learning_rate: 1e-3, data: {path: ${JSON.stringify(data)}}${more}}]`;

/** A case about a data file of the given name and content. */
function dataCase(
  name: string,
  file: string,
  content: string | Uint8Array | null,
  says: string,
  ...more: string[]
): BadInput {
  return {
    name,
    says,
    make(folder) {
      const path = join(folder, file);
      if (typeof content === "string") Deno.writeTextFileSync(path, content);
      else if (content) Deno.writeFileSync(path, content);
      return [...TINY.filter((word) => !word.startsWith("stages")), stageOn(path), ...more];
    },
  };
}

/** A case about a model folder that `spoil` changes. */
function modelCase(
  name: string,
  says: string,
  spoil: (model: string) => void | Promise<void>,
  ...more: string[]
): BadInput {
  return {
    name,
    says,
    async make(folder) {
      await saveStart(folder);
      await spoil(join(folder, "model"));
      return [`model.from=${join(folder, "model")}`, "stages.all.steps=1", ...more];
    },
  };
}

function changeJson(path: string, change: Record<string, unknown>): void {
  Deno.writeTextFileSync(
    path,
    JSON.stringify({ ...JSON.parse(Deno.readTextFileSync(path)), ...change }),
  );
}

/** Overwrites bytes of a file. */
function overwrite(path: string, at: number, bytes: Uint8Array): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(bytes);
}

/** A llama2.c file of the smallest sizes: seven numbers, then weights. */
function llama2cFile(): Uint8Array {
  const [width, mlp, layers, heads, vocab, context] = [8, 8, 1, 2, 32, 32];
  const matrices = 4 * width * width + 3 * width * mlp;
  const floats = vocab * width + layers * (matrices + 2 * width) + width + context * (width / 2);
  const bytes = new Uint8Array(28 + 4 * floats);
  new Int32Array(bytes.buffer, 0, 7).set([width, mlp, layers, heads, heads, vocab, context]);
  new Float32Array(bytes.buffer, 28).fill(0.01);
  return bytes;
}

const whole = await gzip(ROW.repeat(50));

const BAD_INPUTS: readonly BadInput[] = [
  modelCase(
    "corrupt safetensors header",
    "model.safetensors",
    (model) =>
      overwrite(join(model, "model.safetensors"), 0, new Uint8Array([255, 255, 255, 255, 255, 0])),
  ),
  modelCase(
    "tensor of a wrong shape",
    "config.json asks for the shape [48,16], the file has [32,16]",
    (model) => changeJson(join(model, "config.json"), { intermediate_size: 48 }),
  ),
  modelCase("NaN weight", "NaN", (model) => {
    const path = join(model, "model.safetensors");
    overwrite(path, Deno.statSync(path).size - 8, new Uint8Array(new Float32Array([NaN]).buffer));
  }),
  modelCase(
    "no such model",
    "no such model file or folder",
    (model) => Deno.removeSync(model, { recursive: true }),
  ),
  modelCase(
    "length beyond the model's context",
    "length must be at most the model's context (64), found 65",
    () => {},
    "stages.1.length=65",
  ),
  {
    name: "another vocabulary than the nursery's",
    says: "this policy's vocabulary 23: start from a policy raised in the nursery",
    async make(folder) {
      await saveModel(join(folder, "model"), randomWeights(CONFIGS.gpt2));
      return [`model.from=${join(folder, "model")}`, "stages.all.length=16"];
    },
  },
  {
    name: "llama2.c file without a tokenizer",
    says: "reading text needs a tokenizer; name one as model.tokenizer",
    make(folder) {
      Deno.writeFileSync(join(folder, "model.bin"), llama2cFile());
      Deno.writeTextFileSync(join(folder, "a.jsonl"), ROW);
      return [`model.from=${join(folder, "model.bin")}`, stageOn(join(folder, "a.jsonl"))];
    },
  },
  dataCase("missing data file", "gone.jsonl", null, "gone.jsonl: no such file or folder"),
  dataCase("empty data file", "a.jsonl", "", "a.jsonl: no rows in it"),
  dataCase(
    "truncated jsonl.gz",
    "a.jsonl.gz",
    whole.slice(0, whole.length / 2),
    "the gzip data ends too early; copy or download it again",
  ),
  dataCase(
    "unknown column",
    "a.jsonl",
    '{"request": "x", "answer": "y"}\n',
    "a.jsonl:1: no known format has the columns",
  ),
  dataCase(
    "mapped column that is not there",
    "a.jsonl",
    ROW,
    'a.jsonl:1: columns maps prompt to "question", which the row lacks',
    "stages.0.data.columns={prompt: question}",
  ),
  dataCase(
    "empty reply",
    "a.jsonl",
    ROW + '{"prompt": "x", "completion": " "}\n',
    "a.jsonl:2: empty reply; mend the row, or leave such rows out with on_empty: drop",
  ),
  dataCase(
    "all rows dropped",
    "a.jsonl",
    '{"prompt": "x", "completion": ""}\n'.repeat(3),
    "no usable row in the data set: 3 x empty reply",
    "stages.0.data.on_empty=drop",
  ),
  dataCase(
    "PKU-SafeRLHF without a preference",
    "a.jsonl",
    '{"prompt":"p","response_0":"a","response_1":"b","better_response_id":0,"safer_response_id":1}\n',
    'preference: "helpful"',
  ),
  {
    name: "policy larger than the adapter allows",
    says: "of GPU memory in one piece, this adapter allows",
    make: () => ["model.width=400000", "model.heads=4", "model.mlp_width=400000"],
  },
  {
    name: "batch larger than the adapter allows",
    says: "this adapter allows",
    make: () => ["stages.1.batch_size=2000000"],
  },
  {
    name: "unknown adapter",
    says: 'no WebGPU adapter matches "no such GPU"; found: ',
    make: () => ["--adapter", "no such GPU"],
  },
  {
    name: "LoRA target that does not exist",
    says: 'no linear layer of this llama is called "query"; it has q_proj',
    make: () => [...TINY, "lora={target_modules: [query]}"],
  },
];

/** Contents of every file, to compare before and after. */
function contents(folder: string): [string, string][] {
  return filesBelow(folder).map((path) => [path, String(Deno.readFileSync(join(folder, path)))]);
}

/** Runs the command around the real trainer in this process. */
async function run(args: readonly string[]): Promise<{ code: number; stderr: string }> {
  const command = trainCommand(async ({ signal, ...request }) => ({
    json: { ...await train({ ...request, stopped: () => signal.aborted }) },
    lines: [],
  }));
  let stderr = "";
  const output = { stdout: () => {}, stderr: (text: string) => stderr += text };
  return { code: await runCommand(command, args, output), stderr };
}

function checkRefusal({ code, stderr }: { code: number; stderr: string }, says: string): void {
  assertEquals(code, 2, stderr);
  assert(/^infant train: [^\n]+\n$/.test(stderr), `not exactly one line: ${stderr}`);
  assert(stderr.includes(says), `"${stderr.trim()}" does not say "${says}"`);
}

for (const { name, make, says } of BAD_INPUTS) {
  Deno.test(`${name}: ${says}`, () =>
    inFolder(async (folder) => {
      const args = await make(folder);
      const before = contents(folder);
      checkRefusal(await run(["--out", join(folder, "run"), ...args]), says);
      assertEquals([...Deno.readDirSync(folder)].some(({ name }) => name === "run"), false);
      assertEquals(contents(folder), before);
    }));
}

/** What is done to a run that was stopped after two of four steps before it is resumed. */
const BROKEN_RUNS: readonly {
  readonly name: string;
  readonly says: string;
  readonly spoil?: (checkpoint: string) => void;
  readonly more?: readonly string[];
}[] = [
  {
    name: "broken optimizer.safetensors",
    says: "optimizer.safetensors",
    spoil: (checkpoint) => Deno.truncateSync(join(checkpoint, "optimizer.safetensors"), 200),
  },
  {
    name: "broken stage.json",
    says: "stage.json cannot be used",
    spoil: (checkpoint) => Deno.writeTextFileSync(join(checkpoint, "stage.json"), "{"),
  },
  {
    name: "stage.json of something else",
    says: "stage, step or complete is missing",
    spoil: (checkpoint) => Deno.writeTextFileSync(join(checkpoint, "stage.json"), "[]"),
  },
  {
    name: "checkpoint without weights",
    says: "model.safetensors",
    spoil: (checkpoint) => Deno.removeSync(join(checkpoint, "model.safetensors")),
  },
  {
    name: "another width",
    says: "this policy has width 16, the configuration 32",
    more: ["model.width=32"],
  },
  {
    name: "adapters where there were none",
    says: "the configuration is not the one that made this checkpoint",
    more: ["lora={r: 2}"],
  },
];

for (const { name, says, spoil, more = [] } of BROKEN_RUNS) {
  Deno.test(`resume, ${name}: ${says}`, () =>
    inFolder(async (folder) => {
      const out = join(folder, "run");
      const { config } = resolveConfig({ overrides: [...TINY, "stages.all.steps=4"] });
      const reporter = { stage() {}, step() {}, metrics() {}, note() {}, done() {} };
      let asked = 0;
      // Asked before every step, so this stops after two.
      const stopped = () => ++asked > 2;
      await train({ config, folder: out, resume: null, reporter, stopped });
      const [checkpoint] = [...Deno.readDirSync(join(out, "checkpoints"))].map(({ name }) => name);
      spoil?.(join(out, "checkpoints", checkpoint));
      const before = contents(folder);
      checkRefusal(await run(["--resume", out, ...more]), says);
      assertEquals(contents(folder), before);
    }));
}

Deno.test("across processes: a run folder that is taken, one that is a file, one without a checkpoint", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(join(folder, "taken"));
    await Deno.writeTextFile(join(folder, "taken", "config.yaml"), "preset: nursery\n");
    await Deno.writeTextFile(join(folder, "file"), "");
    const before = contents(folder);
    const cases: readonly (readonly [string[], string])[] = [
      [["--out", "taken"], "taken holds a run already: continue it with --resume taken"],
      [["--out", "file/run"], "runs through a file where a folder is needed"],
      [["--resume", "taken"], "taken has no checkpoint to continue from"],
    ];
    for (const [args, says] of cases) {
      const more = args[0] === "--out" ? TINY : [];
      checkRefusal(await runTrain([...args, ...more], folder), says);
    }
    assertEquals(contents(folder), before);
  }));
