/** Layers, aliases and messages of the training configuration. */
import fc from "fast-check";
import { InputError } from "../../../kernels/errors.ts";
import { type FileData, stageSteps, warmupSteps } from "../../../workflows/config/config.ts";
import { PRESETS } from "../../../workflows/config/presets.ts";
import { configYaml, resolveConfig } from "../../../workflows/config/resolve.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";

const STAGE = "  - name: one\n    kind: language_modelling\n    data: nursery\n";
const file = (text: string) => ({ file: { path: "run.yaml", text } });

/** The single line that a mistake gives. */
function complaint(sources: Parameters<typeof resolveConfig>[0]): string {
  const error = assertThrows(() => resolveConfig(sources), InputError);
  assert(!error.message.includes("\n"), `more than one line: ${error.message}`);
  return error.message;
}

Deno.test("without arguments it is the nursery, in all stages", () => {
  const { config, preset } = resolveConfig();
  assertEquals(preset, "nursery");
  assertEquals(config.stages.map(({ name, kind }) => [name, kind]), [
    ["pretrain", "language_modelling"],
    ["imprint", "value_imprinting"],
    ["apprentice", "apprenticeship"],
    ["imagine", "counterfactual_imagination"],
    ["capacitor", "value_capacitor"],
  ]);
  assert(config.gate && config.world_model && config.certificate);
});

for (const preset of Object.keys(PRESETS)) {
  Deno.test(`preset ${preset} is valid and survives being written out`, () => {
    const { config } = resolveConfig({ preset });
    const again = resolveConfig({ file: { path: "config.yaml", text: configYaml(config) } });
    assertEquals(again.config, config);
    assertEquals(again.notices, []);
  });
}

Deno.test("any valid numbers survive being written out", () => {
  const positive = fc.double({ min: 1e-300, max: 10, noNaN: true, noDefaultInfinity: true });
  fc.assert(fc.property(positive, fc.nat(), fc.boolean(), (rate, seed, packing) => {
    const overrides = [
      `stages.all.learning_rate=${rate}`,
      `seed=${seed}`,
      `stages.0.packing=${packing}`,
    ];
    const { config } = resolveConfig({ overrides });
    const again = resolveConfig({ file: { path: "c", text: configYaml(config) } }).config;
    assertEquals(again, config);
    assertEquals([again.stages[1].learning_rate, again.seed, again.stages[0].packing], [
      rate,
      seed,
      packing,
    ]);
  }));
});

Deno.test("overrides win over the file, the file over the preset", () => {
  const text = "preset: nursery\nseed: 5\nmodel:\n  layers: 3\n";
  const { config } = resolveConfig({
    ...file(text),
    overrides: ["seed=7", "stages.imprint.rho=0.1"],
  });
  assertEquals(config.seed, 7);
  assert("layers" in config.model && config.model.layers === 3 && config.model.width === 96);
  assert(config.stages[1].kind === "value_imprinting" && config.stages[1].rho === 0.1);
});

Deno.test("a setting takes the place of those that stand for the same", () => {
  const { config } = resolveConfig({ overrides: ["stages.all.steps=3", "model.from=./model"] });
  assertEquals(
    config.stages.map(({ steps, tokens }) => [steps, tokens]),
    config.stages.map(() => [3, undefined]),
  );
  assertEquals(config.model, { from: "./model", tokenizer: null });
  const local = resolveConfig({
    preset: "hh-imprint",
    overrides: ["stages.imprint.data.path=x.jsonl"],
  });
  assertEquals(local.config.stages[0].data, {
    path: "x.jsonl",
    file_type: "auto",
    separator: null,
    format: "auto",
    columns: {},
    preference: null,
    on_empty: "drop",
    limit: 5000,
    streaming: false,
  }, "the hub's keys are gone, the others stay");
});

Deno.test("how files are written and what rows mean are two keys", () => {
  const data = (...overrides: string[]) => {
    const { config } = resolveConfig({
      preset: "stories",
      overrides: overrides.map((text) => `stages.stories.data.${text}`),
    });
    return config.stages[0].data as FileData;
  };
  const { file_type, format, separator, preference, on_empty } = data("path=x");
  assertEquals([file_type, format, separator, preference, on_empty], [
    "auto",
    "auto",
    null,
    null,
    "error",
  ]);
  const safe = data("path=x", "file_type=tsv", "format=safe-rlhf", "preference=harmless");
  assertEquals([safe.file_type, safe.format, safe.preference], ["tsv", "safe-rlhf", "harmless"]);
  assertEquals(data("path=x", 'separator="\\n\\n"').separator, "\n\n");
});

Deno.test("other trainers' names are read, with one notice each", () => {
  const text =
    `output_dir: out/x\nfp16: true\nmodel:\n  model_name_or_path: m\nlora:\n  lora_alpha: 32\nstages:\n${STAGE}` +
    "    max_steps: 5\n    per_device_train_batch_size: 2\n    gradient_accumulation_steps: 4\n    max_length: 32\n" +
    "    lr_scheduler_type: linear\n    learning_rate: 1e-3\n    gradient_checkpointing: true\n    logging_steps: 1\n" +
    "    save_steps: 2\n    completion_only_loss: false\n";
  const { config, notices } = resolveConfig(file(text));
  const [stage] = config.stages;
  assertEquals([config.out, config.precision, config.lora?.alpha], ["out/x", "f16", 32]);
  assertEquals(config.model, { from: "m", tokenizer: null });
  assertEquals([stage.steps, stage.batch_size, stage.gradient_accumulation, stage.length], [
    5,
    2,
    4,
    32,
  ]);
  assertEquals([stage.schedule, stage.recompute, stage.log_every, stage.save_every], [
    "linear",
    true,
    1,
    2,
  ]);
  assertEquals(stage.prompt_weight, 1);
  assertEquals(notices.length, 13);
  assert(notices.includes("max_steps is read as steps"));
  assertEquals(resolveConfig({ overrides: ["stages.all.max_steps=5"] }).config.stages[1].steps, 5);
});

Deno.test("lengths in steps, tokens and epochs; warm-up in steps and shares", () => {
  const stage = (override: string, ...more: string[]) =>
    resolveConfig({ overrides: [`stages.0.${override}`, ...more] }).config.stages[0];
  assertEquals(stageSteps(stage("steps=7"), 0), 7);
  assertEquals(stageSteps(stage("tokens=513"), 0), 2);
  assertEquals(stageSteps(stage("epochs=1.5", "stages.0.gradient_accumulation=2"), 10_240), 15);
  assertEquals(warmupSteps(stage("warmup_ratio=0.1"), 25), 3);
  assertEquals(warmupSteps(stage("warmup_steps=4"), 25), 4);
});

/** Overrides of the default preset, and the line they give. */
const MISTAKES: readonly (readonly [override: string, line: string])[] = [
  ["sed=1", 'unknown key sed (did you mean "seed"?)'],
  ["model.layer=3", 'unknown key model.layer (did you mean "layers"?)'],
  ["stages.imprint.rhoo=1", 'unknown key stages.imprint.rhoo (did you mean "rho"?)'],
  [
    "stages.pretrain.rho=1",
    "stages.pretrain.rho does not exist in a stage of kind language_modelling",
  ],
  [
    "learning_rate=1",
    "learning_rate is unknown here: set stages.all.learning_rate, or one stage's",
  ],
  ["seed=1.5", "seed must be a whole number, found 1.5"],
  ["seed=-1", "seed must be at least 0, found -1"],
  ["seed=many", 'seed must be a number, found "many"'],
  ["stages.0.learning_rate=-1", "stages.pretrain.learning_rate must be greater than 0, found -1"],
  ["stages.0.learning_rate=.nan", "stages.pretrain.learning_rate must be a number, found null"],
  ["stages.0.steps=0", "stages.pretrain.steps must be at least 1, found 0"],
  ["stages.0.betas=[0.9, 1]", "stages.pretrain.betas.1 must be less than 1, found 1"],
  ["stages.0.betas=0.9", "stages.pretrain.betas must be a list of two numbers, found 0.9"],
  ["stages.0.prompt_weight=2", "stages.pretrain.prompt_weight must be at most 1, found 2"],
  [
    "stages.0.schedule=cosin",
    'stages.pretrain.schedule must be constant or linear or cosine (did you mean "cosine"?), found "cosin"',
  ],
  [
    "stages.0.kind=ppo",
    'stages.pretrain.kind must be language_modelling or value_imprinting or apprenticeship or counterfactual_imagination or value_capacitor, found "ppo"',
  ],
  ["stages.0.data=nursey", 'stages.pretrain.data must be nursery or a mapping, found "nursey"'],
  ["stages.0.data={path: 3}", "stages.pretrain.data.path must be a text, found 3"],
  ["stages.0.data={}", "stages.pretrain.data.path is missing: it must be a text"],
  ["stages.0.data.path=x", 'stages.0.data.path cannot be set: "path" would lie inside "nursery"'],
  [
    "stages.0.data={path: x, format: jsonl}",
    "stages.pretrain.data.format must be auto or safe-rlhf or preference or hh-rlhf or implicit-preference " +
    'or prompt-completion or alpaca or messages or conversations or text or prompt, found "jsonl"',
  ],
  [
    "stages.0.data={path: x, on_empty: skip}",
    'stages.pretrain.data.on_empty must be error or drop, found "skip"',
  ],
  [
    "stages.0.data={path: x, preference: safe}",
    'stages.pretrain.data.preference must be helpful or harmless, found "safe"',
  ],
  [
    "stages.0.data={path: x, subset: y}",
    "stages.pretrain.data.subset cannot stand beside path",
  ],
  [
    "stages.pretrian.steps=1",
    'stages.pretrian.steps cannot be set: none of the 5 is called "pretrian" (did you mean "pretrain"?)',
  ],
  [
    "stages.1.name=pretrain",
    'stages.pretrain.name is used twice ("pretrain"): checkpoints would overwrite each other',
  ],
  ["stages=[]", "stages must be a list that is not empty, found an empty list"],
  ["stages.0.length=128", "stages.pretrain.length must be at most model.context (64), found 128"],
  ["model.heads=5", "model.width must be a multiple of heads (5), found 96"],
  ["model.kv_heads=3", "model.kv_heads must divide heads (4), found 3"],
  ["lora={target_modules: q}", 'lora.target_modules must be all-linear or a list, found "q"'],
  ["bf16=true", "bf16 does not exist in WGSL: write precision: f16 or precision: f32"],
  ["fp16=perhaps", 'fp16 must be true or false, found "perhaps"'],
  ["precision=f64", 'precision must be f32 or f16 (did you mean "f32"?), found "f64"'],
  ["=3", '"=3" must be written key=value, with dots between the parts of the key'],
];

for (const [override, line] of MISTAKES) {
  Deno.test(`${override} is refused in one clear line`, () => {
    assertEquals(complaint({ overrides: [override] }), line);
  });
}

Deno.test("mistakes in a file are told with its name and line", () => {
  assertEquals(
    complaint(file("preset: nursery\nseed: -3\n")),
    "run.yaml:2: seed must be at least 0, found -3",
  );
  assertEquals(
    complaint(file("preset: nursry")),
    'unknown preset "nursry" (did you mean "nursery"?)',
  );
  assertEquals(
    complaint(file("preset: [nursery]")),
    'run.yaml: preset must be the name of a preset, found ["nursery"]',
  );
  assertEquals(
    complaint(file("- 1")),
    'run.yaml must hold settings as "key: value" lines, found a list',
  );
  assert(complaint(file("a: [1\nb: 2")).startsWith("run.yaml is not valid YAML: "));
  assertEquals(
    complaint(file("preset: nursery\noutput_dir: x\nout: y")),
    "run.yaml: output_dir and out mean the same: keep one of them",
  );
  const start = `model:\n  layers: 2\nstages:\n${STAGE}    learning_rate: 1e-3\n`;
  assertEquals(
    complaint(file(start)),
    "run.yaml: stages.one needs exactly one of steps, tokens and epochs, found none of them",
  );
  assertEquals(
    complaint(file(`${start}    steps: 1\n    tokens: 1\n`)),
    "run.yaml: stages.one needs exactly one of steps, tokens and epochs, found steps and tokens",
  );
  assertEquals(
    complaint(file(`${start}    steps: 1\n    warmup_steps: 1\n    warmup_ratio: 0.1\n`)),
    "run.yaml: stages.one has both warmup_steps and warmup_ratio: give one of them",
  );
  assertEquals(
    complaint(file(`${start.replace("layers: 2", "layers: 2\n  from: x")}    steps: 1\n`)),
    "run.yaml:1: model.layers cannot stand beside from",
  );
});

Deno.test("a mistake made by an override is not blamed on the file", () => {
  const message = complaint({ ...file("preset: nursery\nseed: 3\n"), overrides: ["seed=-3"] });
  assertEquals(message, "seed must be at least 0, found -3");
});
