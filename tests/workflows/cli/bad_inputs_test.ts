/**
 * Bad input to the real commands, each in a process of its own: exit code 2, exactly one line on stderr that says
 * what to change, and not a file written.
 */
import { join } from "node:path";
import { assert, assertEquals } from "../../assert.ts";
import { CANNOT_MOUNT, makeReadOnly, mountDisk } from "../../small_disk.ts";

const script = (path: string) => new URL(path, import.meta.url).href;
const PROGRAMS = {
  infant: script("../../../workflows/cli/main.ts"),
  schema: script("../../../workflows/cli/schema.ts"),
  train: script("../../../workflows/cli/train.ts"),
  // Around a trainer that only makes its run folder.
  folder: script("./train_entry.ts"),
} as const;

interface BadInput {
  readonly program: keyof typeof PROGRAMS;
  readonly args: readonly string[];
  /** What the line must say, beside the command's name. */
  readonly says: string;
  /** Files that are there when the command starts. */
  readonly files?: Readonly<Record<string, string>>;
}

const STAGE =
  "stages:\n  - name: one\n    kind: language_modelling\n    data: nursery\n    steps: 1\n";

const BAD_INPUTS: readonly BadInput[] = [
  {
    program: "infant",
    args: ["trian"],
    says: 'there is no command "trian" (did you mean "train"?)',
  },
  {
    program: "infant",
    args: ["schema", "--outt", "x"],
    says: 'unknown option --outt (did you mean "--out"?)',
  },
  {
    program: "infant",
    args: ["train", "--adapter", "no such GPU"],
    says: 'no GPU adapter matches "no such GPU": there is ',
  },
  {
    program: "schema",
    args: ["--seed", "-1"],
    says: "--seed must be a whole number of at least 0",
  },
  { program: "schema", args: ["--seed"], says: "--seed needs a value: --seed N" },
  { program: "schema", args: ["ot=x"], says: 'ot: unknown setting "ot" (did you mean "out"?)' },
  { program: "schema", args: ["--config", "gone.yaml"], says: "gone.yaml does not exist" },
  {
    program: "schema",
    args: ["--config", "c.yaml"],
    files: { "c.yaml": "sede: 1" },
    says: 'c.yaml: sede: unknown setting "sede" (did you mean "seed"?)',
  },
  {
    program: "schema",
    args: ["--out", "file/below"],
    files: { file: "" },
    says: "runs through a file",
  },
  { program: "train", args: ["--lr", "1"], says: "unknown option --lr" },
  { program: "train", args: ["nursery"], says: 'unexpected argument "nursery"' },
  { program: "train", args: ["--preset", "nursry"], says: '(did you mean "nursery"?)' },
  {
    program: "train",
    args: ["stages.all.learning_rate=-1"],
    says: "must be greater than 0, found -1",
  },
  {
    program: "train",
    args: ["stages.all.steps=0"],
    says: "stages.pretrain.steps must be at least 1",
  },
  { program: "train", args: ["stages.all.betas=[0.9,1.0]"], says: "betas.1 must be less than 1" },
  {
    program: "train",
    args: ["stages.0.max_grad_norm=none"],
    says: 'must be a number, found "none"',
  },
  { program: "train", args: ["stages.pretrian.steps=1"], says: '(did you mean "pretrain"?)' },
  { program: "train", args: ["sead=1"], says: 'unknown key sead (did you mean "seed"?)' },
  { program: "train", args: ["seed=[1"], says: "the value of seed=... is not valid YAML" },
  { program: "train", args: ["seed=1.5"], says: "seed must be a whole number" },
  { program: "train", args: ["--seed", "4294967296"], says: "seed must be at most 4294967295" },
  { program: "train", args: ["bf16=true"], says: "bf16 does not exist in WGSL" },
  { program: "train", args: ["model.width=97"], says: "model.width must be a multiple of heads" },
  {
    program: "train",
    args: ["stages.all.length=4096"],
    says: "must be at most model.context (64)",
  },
  { program: "train", args: ["--config", "gone.yaml"], says: "gone.yaml does not exist" },
  { program: "train", args: ["--config", "."], says: ". is a folder where a file is needed" },
  {
    program: "train",
    args: ["--config", "c.yaml"],
    files: { "c.yaml": "stages: [1\nmodel: x" },
    says: "c.yaml is not valid YAML: ",
  },
  { program: "train", args: ["--config", "c.yaml"], files: { "c.yaml": "42" }, says: "found 42" },
  {
    program: "train",
    args: ["--config", "c.yaml"],
    files: { "c.yaml": "preset: nursery\nlora:\n  rank: -2\n" },
    says: "c.yaml:3: unknown key lora.rank",
  },
  {
    program: "train",
    args: ["--config", "c.yaml"],
    files: { "c.yaml": `model: {layers: 2}\n${STAGE}    learning_rate: fast\n` },
    says: 'c.yaml:7: stages.one.learning_rate must be a number, found "fast"',
  },
  {
    program: "train",
    args: ["--config", "c.yaml"],
    files: { "c.yaml": "\u0000\u0001\ufffd: [" },
    says: "c.yaml is not valid YAML",
  },
  {
    program: "folder",
    args: ["--out", "file/run"],
    files: { file: "" },
    says: "runs through a file",
  },
  { program: "folder", args: ["--out", "file"], files: { file: "" }, says: "a file is in the way" },
  { program: "train", args: ["--resume", "gone"], says: "gone/config.yaml does not exist" },
  {
    program: "train",
    args: ["--resume", "x", "--preset", "nursery"],
    says: "leave out --config, --preset and --out",
  },
  {
    program: "train",
    args: ["--resume", "run"],
    files: { "run/config.yaml": "preset: nursery\n" },
    says: "run has no checkpoint to continue from",
  },
  {
    program: "folder",
    args: ["--out", "run"],
    files: { "run/config.yaml": "" },
    says: "run holds a run already: continue it with --resume run",
  },
];

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function runIn(
  folder: string,
  program: BadInput["program"],
  args: readonly string[],
): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      "--no-prompt",
      "--allow-all",
      PROGRAMS[program],
      ...args,
    ],
    cwd: folder,
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Every file and folder below `folder`, with the text of files. */
function listing(folder: string, prefix = ""): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    return isDirectory
      ? [`${prefix}${name}/`, ...listing(path, `${prefix}${name}/`)]
      : [`${prefix}${name}: ${Deno.readTextFileSync(path)}`];
  }).sort();
}

function checkRefusal({ code, stdout, stderr }: Ended, says: string): void {
  assertEquals(code, 2, stderr);
  assertEquals(stderr.split("\n").length, 2, `not exactly one line: ${stderr}`);
  assert(stderr.startsWith("infant "), stderr);
  assert(stderr.includes(says), `"${stderr.trim()}" does not say "${says}"`);
  assertEquals(stdout, "");
}

for (const { program, args, says, files = {} } of BAD_INPUTS) {
  Deno.test(`${program} ${args.join(" ")}: ${says}`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      for (const [name, text] of Object.entries(files)) {
        await Deno.mkdir(join(folder, name, ".."), { recursive: true });
        await Deno.writeTextFile(join(folder, name), text);
      }
      const before = listing(folder);
      checkRefusal(await runIn(folder, program, args), says);
      assertEquals(listing(folder), before);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("with --json a refusal is also one JSON object on stdout", async () => {
  const folder = await Deno.makeTempDir();
  const { code, stdout } = await runIn(folder, "train", ["seed=x", "--json"]);
  assertEquals([code, JSON.parse(stdout)], [2, { error: 'seed must be a number, found "x"' }]);
  await Deno.remove(folder);
});

Deno.test("what the table refuses is not refused for another reason: good input passes", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const good = await runIn(folder, "folder", [
      "--out",
      "run",
      "--seed",
      "3",
      "stages.all.steps=1",
      "--json",
    ]);
    assertEquals(
      [good.code, JSON.parse(good.stdout)],
      [0, { run: "run", resume: null }],
      good.stderr,
    );
    assertEquals([...Deno.readDirSync(join(folder, "run"))].map(({ name }) => name), [
      "config.yaml",
    ]);
    await Deno.mkdir(join(folder, "run", "checkpoints", "pretrain-1"), { recursive: true });
    const again = await runIn(folder, "folder", ["--resume", "run", "--json"]);
    assertEquals(JSON.parse(again.stdout).resume, { stage: "pretrain", step: 1 }, again.stderr);
    const shown = await runIn(folder, "train", ["--show-config", "seed=9"]);
    assert(shown.stdout.startsWith("seed: 9\n"), shown.stdout);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const full = await mountDisk(4);
Deno.test({
  name: `a full disk: the line says so and nothing half-written stays${full ? "" : CANNOT_MOUNT}`,
  ignore: full === null,
  async fn() {
    try {
      await Deno.writeFile(join(full!.folder, "filler"), new Uint8Array(4096));
      for (const program of ["folder", "schema"] as const) {
        const ended = await runIn(full!.folder, program, ["--out", full!.folder]);
        checkRefusal(ended, "the disk is full");
        assertEquals([...Deno.readDirSync(full!.folder)].map(({ name }) => name), ["filler"]);
      }
    } finally {
      await full!.release();
    }
  },
});

const sealed = await mountDisk(64);
Deno.test({
  name: `a read-only disk is named${sealed ? "" : CANNOT_MOUNT}`,
  ignore: sealed === null,
  async fn() {
    try {
      await makeReadOnly(sealed!);
      const out = join(sealed!.folder, "run");
      checkRefusal(await runIn("/", "folder", ["--out", out]), "is on a read-only file system");
    } finally {
      await sealed!.release();
    }
  },
});
