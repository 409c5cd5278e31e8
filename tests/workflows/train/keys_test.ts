/**
 * No key of the configuration is without effect: for every key of the schema, a configuration that differs in this key alone gives
 * another policy, other batches, another recorded step or another run.
 */
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { InputError } from "../../../kernels/errors.ts";
import { loadParameters } from "../../../kernels/policy/parameters.ts";
import {
  type StageConfig,
  stageSteps,
  type TrainConfig,
} from "../../../workflows/config/config.ts";
import { resolveConfig } from "../../../workflows/config/resolve.ts";
import { trainJsonSchema } from "../../../workflows/config/schema.ts";
import { nurseryReplies } from "../../../workflows/evaluate/nursery_exam.ts";
import { silent } from "../../../workflows/logging/reporter.ts";
import { exam } from "../../../workflows/nursery/exam.ts";
import { loraForPolicy, newAdapter } from "../../../workflows/train/lora.ts";
import { startingPolicy } from "../../../workflows/train/policy_source.ts";
import { openStageData } from "../../../workflows/train/sources.ts";
import { programSettings } from "../../../workflows/train/stage_program.ts";
import { train } from "../../../workflows/train/trainer.ts";
import { assert, assertEquals } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";
import { filesBelow, inFolder, SMALL } from "./helpers.ts";

/** One stage over `data` with a few more keys. */
const stage = (data: string, more = "") =>
  `stages=[{name: one, kind: value_imprinting, data: ${data}, steps: 4, learning_rate: 1e-2${more}}]`;
const NURSERY = stage("nursery");
const LORA = "lora={r: 2}";
const SGD = "stages.one.optimizer=sgd";
const JSONL = stage("{path: rows.jsonl}");
const MIXED = stage("{path: rows.data, file_type: jsonl}");
const TEXT = stage("{path: rows.txt}");
const PKU = stage("{path: pku.jsonl, preference: helpful}");
const EMPTY = stage("{path: empty.jsonl, on_empty: drop}");
const EXAM = "evaluate={dialogues: 1}";
const FISHER = "stages.one.fisher={samples: 2}";

const PAIRS = stage("nursery", ", weights: {vi: 1, po: 1}");
const CDPO = "stages.one.preference={loss: cdpo, label_smoothing: 0.1}";
const held = (name: string, more: string) =>
  `{name: ${name}, kind: value_imprinting, data: nursery, steps: 2, learning_rate: 1e-2, ${more}}`;
/** Two stages that leave an importance, and one that holds on to them. */
const HELD = `stages=[${held("one", "fisher: {samples: 2}")}, ${
  held("two", "fisher: {samples: 2}")
}, ${held("three", "weights: {pl: 1}, plasticity: {kappa: 1e5}")}]`;
const ONLINE = "stages.three.plasticity.combine=online";
const PATH = "stages.one.fisher={kind: synaptic}";

const GATED =
  "stages=[{name: one, kind: value_imprinting, data: nursery, steps: 2, learning_rate: 1e-2}, " +
  "{name: two, kind: value_imprinting, data: nursery, steps: 2, learning_rate: 1e-2}]";
const GATE = "gate={first: {facts: 0, instructions: 0}, last: {facts: 0, instructions: 0.1}, " +
  "every: 1, dialogues: 1, max_new_tokens: 2, max_holds: 1}";

/** What a key changes: the overrides without it, and with it. */
type Change = readonly [base: readonly string[], change: string];
const of = (change: string, ...base: string[]): Change => [base, change];

/** Keys whose effect is there before a step is made. */
const PREPARED: Readonly<Record<string, Change>> = {
  seed: of("seed=1", NURSERY),
  "model.family": of("model.family=qwen2", NURSERY),
  "model.layers": of("model.layers=2", NURSERY),
  "model.width": of("model.width=32", NURSERY),
  "model.heads": of("model.heads=4", NURSERY),
  "model.kv_heads": of("model.kv_heads=1", NURSERY),
  "model.mlp_width": of("model.mlp_width=16", NURSERY),
  "model.context": of("model.context=65", NURSERY),
  "model.rope_theta": of("model.rope_theta=500", NURSERY),
  "model.norm_eps": of("model.norm_eps=1e-3", NURSERY),
  "model.tied_head": of("model.tied_head=false", NURSERY),
  "model.init_std": of("model.init_std=0.5", NURSERY),
  "model.tokenizer": of("model.tokenizer=absent.json", NURSERY),
  "model.from": of("model.from=absent", NURSERY),
  lora: of(LORA, NURSERY),
  "lora.r": of("lora.r=4", NURSERY, LORA),
  "lora.alpha": of("lora.alpha=4", NURSERY, LORA),
  "lora.dropout": of("lora.dropout=0.5", NURSERY, LORA),
  "lora.target_modules": of("lora.target_modules=[q_proj]", NURSERY, LORA),
  stages: of(JSONL, NURSERY),
  "stages.kind": of(
    "stages=[{name: one, kind: language_modelling, data: nursery, steps: 4, learning_rate: 1e-2}]",
    NURSERY,
  ),
  "stages.data": of("stages.one.data={path: rows.jsonl}", NURSERY),
  "stages.steps": of("stages.one.steps=5", NURSERY),
  "stages.tokens": of("stages.one.tokens=5000", NURSERY),
  "stages.epochs": of("stages.one.epochs=3", JSONL),
  "stages.batch_size": of("stages.one.batch_size=3", NURSERY),
  "stages.gradient_accumulation": of("stages.one.gradient_accumulation=2", NURSERY),
  "stages.length": of("stages.one.length=48", NURSERY),
  "stages.packing": of("stages.one.packing=false", NURSERY),
  "stages.prompt_weight": of("stages.one.prompt_weight=0.5", NURSERY),
  "stages.learning_rate": of("stages.one.learning_rate=1e-3", NURSERY),
  "stages.schedule": of("stages.one.schedule=linear", NURSERY),
  "stages.warmup_steps": of("stages.one.warmup_steps=2", NURSERY),
  "stages.warmup_ratio": of("stages.one.warmup_ratio=0.5", NURSERY),
  "stages.min_learning_rate_ratio": of("stages.one.min_learning_rate_ratio=0.5", NURSERY),
  "stages.data.path": of("stages.one.data.path=rows.txt", JSONL),
  "stages.data.file_type": of("stages.one.data.file_type=text", MIXED),
  "stages.data.separator": of("stages.one.data.separator=e", TEXT),
  "stages.data.format": of("stages.one.data.format=text", JSONL),
  "stages.data.columns": of("stages.one.data.columns={prompt: other}", JSONL),
  "stages.data.preference": of("stages.one.data.preference=harmless", PKU),
  "stages.data.on_empty": of("stages.one.data.on_empty=error", EMPTY),
  "stages.data.limit": of("stages.one.data.limit=3", JSONL),
  "stages.data.streaming": of("stages.one.data.streaming=true", JSONL),
  "stages.environment": of("stages.one.environment=4", NURSERY),
  "stages.newest_share": of(
    "stages.one.newest_share=1",
    stage("nursery", ", environment: 4, batch_size: 64"),
  ),
  "stages.replay_share": of("stages.one.replay_share=0.9", stage("nursery")),
  "stages.harmful_share": of("stages.one.harmful_share=0.1", stage("nursery", ", batch_size: 64")),
  "stages.kl_on": of("stages.one.kl_on=benign", stage("nursery", ", batch_size: 64")),
};

/** Keys whose effect is in what a run leaves behind. */
const RUN: Readonly<Record<string, Change>> = {
  "stages.name": of("stages.one.name=two", NURSERY),
  "stages.weights": of("stages.one.weights={vi: 0, po: 1}", PAIRS),
  "stages.weights.vi": of("stages.one.weights.vi=2", PAIRS),
  "stages.weights.po": of("stages.one.weights.po=2", PAIRS),
  "stages.weights.ci": of("stages.one.weights.ci=1", NURSERY),
  "stages.weights.pl": of("stages.three.weights.pl=0", HELD),
  "stages.preference": of("stages.one.preference={loss: hinge}", PAIRS),
  "stages.preference.loss": of("stages.one.preference.loss=ipo", PAIRS),
  "stages.preference.beta": of("stages.one.preference.beta=0.5", PAIRS),
  "stages.preference.label_smoothing": of(
    "stages.one.preference.label_smoothing=0.4",
    PAIRS,
    CDPO,
  ),
  "stages.plasticity": of("stages.three.plasticity={kappa: 1}", HELD),
  "stages.plasticity.kappa": of("stages.three.plasticity.kappa=1", HELD),
  "stages.plasticity.combine": of(ONLINE, HELD),
  "stages.plasticity.decay": of("stages.three.plasticity.decay=0", HELD, ONLINE),
  "stages.plasticity.from": of("stages.three.plasticity.from=[one]", HELD),
  "stages.fisher.damping": of("stages.one.fisher.damping=1", NURSERY, PATH),
  "stages.optimizer": of(SGD, NURSERY),
  "stages.weight_decay": of("stages.one.weight_decay=1", NURSERY),
  "stages.betas": of("stages.one.betas=[0.5, 0.9]", NURSERY),
  "stages.eps": of("stages.one.eps=1e-3", NURSERY),
  "stages.momentum": of("stages.one.momentum=0.9", NURSERY, SGD),
  "stages.max_grad_norm": of("stages.one.max_grad_norm=0.1", NURSERY, SGD),
  "stages.dropout": of("stages.one.dropout=0.5", NURSERY),
  "stages.log_every": of("stages.one.log_every=1", NURSERY),
  "stages.eval_every": of("stages.one.eval_every=1", NURSERY),
  "stages.save_every": of("stages.one.save_every=1", NURSERY),
  "stages.save_total_limit": of(
    "stages.one.save_total_limit=1",
    NURSERY,
    "stages.one.save_every=1",
  ),
  "stages.rho": of("stages.one.rho=1", NURSERY),
  "stages.fisher": of(FISHER, NURSERY),
  "stages.fisher.kind": of("stages.one.fisher.kind=sampled", NURSERY, FISHER),
  "stages.fisher.samples": of("stages.one.fisher.samples=3", NURSERY, FISHER),
  gate: of(GATE, GATED),
  "gate.first": of("gate.first.instructions=0.1", GATED, GATE),
  "gate.last": of("gate.last.instructions=0.2", GATED, GATE),
  "gate.since": of("gate.since={instructions: 3}", GATED, GATE),
  "gate.n_stable": of("gate.n_stable=1", GATED, GATE),
  "gate.every": of("gate.every=2", GATED, GATE),
  "gate.max_holds": of("gate.max_holds=2", GATED, GATE),
  "gate.hold_learning_rate_ratio": of("gate.hold_learning_rate_ratio=1", GATED, GATE),
  "gate.dialogues": of("gate.dialogues=2", GATED, GATE),
  evaluate: of(EXAM, NURSERY),
  "evaluate.dialogues": of("evaluate.dialogues=2", NURSERY, EXAM),
};

/** Keys that this file does not vary, and why. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  preset: "resolve_test.ts: it chooses the layer below the file",
  out: "cli/bad_inputs_test.ts: it names the run folder",
  adapter: "setup/adapter_test.ts and kernels/gpu/device_test.ts: it chooses the device",
  matmul: "setup/tuning_test.ts and verify/schedules_test.ts: other ways to the same numbers",
  precision: "f16_test.ts: not every adapter has float16",
  model: "its own keys are varied",
  "stages.weights.vc": "../objective/stage_terms_test.ts: refused without a world model",
  "stages.preference.reference": "../objective/preference_test.ts: the same from less memory",
  "stages.recompute": "step_test.ts: the same bits from less memory",
  "stages.data.hub": "data/hub_test.ts",
  "stages.data.revision": "data/hub_test.ts",
  "stages.data.subset": "data/hub_test.ts",
  "stages.data.split": "data/hub_test.ts",
  "stages.imagination": "its own keys are varied",
  ...Object.fromEntries(
    ["adversary", "k_max", "candidates", "inner_steps", "generator_learning_rate"].map((key) => [
      `stages.imagination.${key}`,
      "safety/perturbation/stage_source_test.ts: the batches differ",
    ]),
  ),
  ...Object.fromEntries(
    ["reading", "tolerance", "compare", "regression_tolerance"].map((key) => [
      `gate.${key}`,
      "../stages/gate_test.ts: the decisions differ",
    ]),
  ),
  "stages.imagination.kl_gradient": "../objective/terms_test.ts: the gradient differs",
  "gate.max_rollbacks": "gate_test.ts: a run that is rolled back",
  "gate.rollback_learning_rate_ratio": "gate_test.ts: a run that is rolled back",
  "gate.temperature": "as the exam's, below",
  "gate.max_new_tokens": "as the exam's, below",
  extensions: "gate_test.ts: a metric of one's own",
  ...Object.fromEntries(
    [
      "stages.capacitor",
      "stages.capacitor.replies_per_context",
      "stages.capacitor.max_new_tokens",
      "world_model",
      ...[
        "proposals",
        "own_replies",
        "test_replies",
        "learning_rate",
        "replies_per_step",
        "epochs",
        "false_positive_rate",
        "data",
        "labels",
        "refusal",
        ...["path", "hub", "revision", "subset", "split", "file_type", "separator", "format"]
          .map((key) => `data.${key}`),
        ...["columns", "preference", "on_empty", "limit", "streaming"].map((key) => `data.${key}`),
      ].map((key) => `world_model.${key}`),
      "certificate",
      ...["dialogues", "delta", "limit", "patterns", "max_new_tokens", "prompts"]
        .map((key) => `certificate.${key}`),
      ...["data", "column", "judge", "threshold", "labels"]
        .map((key) => `certificate.prompts.${key}`),
    ].map((key) => [key, "programme_test.ts: world model and certificate say so themselves"]),
  ),
  "evaluate.temperature": "below: the exam's replies",
  "evaluate.max_new_tokens": "below: the exam's replies",
};

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
}

/** Dotted paths of all keys of a schema. */
function keysOf(node: Node, path: string, keys: Set<string> = new Set()): Set<string> {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    const below = path === "" ? key : `${path}.${key}`;
    keysOf(child, below, keys.add(below));
  }
  for (const one of [...node.anyOf ?? [], ...node.oneOf ?? []]) keysOf(one, path, keys);
  return node.items ? keysOf(node.items, path, keys) : keys;
}

Deno.test("every key of the schema is varied here, or said to be tested elsewhere", () => {
  const keys = [...keysOf(trainJsonSchema(["nursery"]) as Node, "")];
  const tested = [PREPARED, RUN, ELSEWHERE].flatMap((table) => Object.keys(table));
  assertEquals(tested.sort(), keys.sort());
});

function configOf(overrides: readonly string[], folder: string): TrainConfig {
  const inside = overrides.map((text) =>
    text.replaceAll(/\b(rows|pku|empty)\.(jsonl|data|txt)\b/g, (file) => join(folder, file))
  );
  const [stages, ...rest] = inside;
  return resolveConfig({
    overrides: [stages, ...SMALL.filter((t) => !/dropout|warmup/.test(t)), ...rest],
  })
    .config;
}

/** Everything that is settled before the first step; the message where the configuration is refused. */
async function prepared(config: TrainConfig): Promise<unknown> {
  try {
    const { weights, tokenizer } = await startingPolicy(config);
    const adapter = config.lora && newAdapter(weights.config, config.lora, config.seed);
    const stages = await Promise.all(config.stages.map(async (stage: StageConfig) => {
      const data = await openStageData(stage, tokenizer, config.seed);
      const steps = stageSteps(stage, data.epochTokens);
      const objective = { rho: "rho" in stage ? stage.rho : 0, prior: null };
      return {
        steps,
        settings: programSettings(stage, steps, config.seed, objective),
        batch: await data.source.batch(0),
        source: data.source.describe(),
        streams: data.epochTokens === null,
        notes: data.notes,
      };
    }));
    return { ...weights, adapter: adapter && loraForPolicy(adapter), stages };
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

async function writeData(folder: string): Promise<void> {
  const words = ["cup", "tea", "milk", "red", "blue", "one", "two", "three", "door", "tree"];
  const rows = (row: (word: string) => object, ...more: object[]) =>
    [...words.map(row), ...more].map((one) => JSON.stringify(one)).join("\n");
  const plain = (word: string) => ({ prompt: word, completion: "yes", text: word, other: "no" });
  const pku = (word: string) => ({
    prompt: word,
    response_0: "yes",
    response_1: "no",
    better_response_id: 0,
    safer_response_id: 1,
  });
  const files = {
    "rows.jsonl": rows(plain),
    "rows.data": rows(plain),
    "rows.txt": words.join(" the "),
    "pku.jsonl": rows(pku),
    "empty.jsonl": rows(plain, { ...plain("cup"), completion: "" }),
  };
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(join(folder, name), text);
  }
}

Deno.test("keys that decide policy, batches or the recorded step do so", () =>
  inFolder(async (folder) => {
    await writeData(folder);
    for (const [key, [base, change]] of Object.entries(PREPARED)) {
      const [without, changed] = [base, [...base, change]].map((words) => configOf(words, folder));
      const before = await prepared(without);
      assert(
        typeof before === "object",
        `${key}: the configuration without it is refused: ${before}`,
      );
      assert(!isDeepStrictEqual(await prepared(changed), before), `${key} has no effect`);
    }
  }));

/** A file's bytes; of the audit file what was decided, for its first entry is about the configuration itself. */
function contents(path: string): Uint8Array {
  const bytes = Deno.readFileSync(path);
  if (!path.endsWith("audit.jsonl")) return bytes;
  const [, ...entries] = new TextDecoder().decode(bytes).trimEnd().split("\n");
  const decided = entries.map((line) => ({ ...JSON.parse(line), previous: null }));
  return new TextEncoder().encode(JSON.stringify(decided));
}

Deno.test("keys that decide what a run leaves behind do so", () =>
  inFolder(async (folder) => {
    await testGpu(); // sets the environment that an adapter needs
    const runs = new Map<string, Promise<string>>();
    /** A hash over the files of a run, but for the configuration itself and the clock's. */
    const run = async (overrides: readonly string[]): Promise<string> => {
      const out = join(folder, String(runs.size));
      const config = configOf(overrides, folder);
      await train({ config, folder: out, resume: null, reporter: silent, stopped: () => false });
      const files = filesBelow(out).filter((path) => !/tfevents|^config\.yaml$/.test(path));
      const parts = files.map((path) => [path, contents(join(out, path))] as const);
      const bytes = await new Blob(parts.flat() as BlobPart[]).arrayBuffer();
      return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    };
    const left = (overrides: readonly string[]): Promise<string> => {
      const key = overrides.join("\n");
      if (!runs.has(key)) runs.set(key, run(overrides));
      return runs.get(key)!;
    };
    for (const [key, [base, change]] of Object.entries(RUN)) {
      const before = await left(base);
      assert(await left([...base, change]) !== before, `${key} has no effect`);
    }
  }));

Deno.test("the exam's temperature and longest reply decide the replies", () =>
  inFolder(async (folder) => {
    const { weights } = await startingPolicy(configOf([NURSERY], folder));
    const parameters = loadParameters(await testGpu(), weights, { trainable: false });
    const dialogues = exam("test", 1, 0).slice(0, 8);
    const sit = async (changes: string): Promise<string[][]> => {
      const { evaluate } = configOf([NURSERY, `evaluate={${changes}}`], folder);
      return await nurseryReplies(parameters, dialogues, { ...evaluate!, seed: 0 });
    };
    const drawn = await sit("max_new_tokens: 6, temperature: 1");
    assert(!isDeepStrictEqual(await sit("max_new_tokens: 6, temperature: 0"), drawn));
    assert(!isDeepStrictEqual(await sit("max_new_tokens: 3, temperature: 1"), drawn));
    parameters.destroy();
  }));
