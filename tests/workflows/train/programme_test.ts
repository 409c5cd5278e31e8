/**
 * The whole programme on a policy that learns nothing in so few steps: every stage, the world model, the exam as worn and the certificate;
 * interrupted in any of them it resumes to the same bytes.
 */
import { join } from "node:path";
import { resolveConfig } from "../../../workflows/config/resolve.ts";
import { readExams } from "../../../workflows/evaluate/exams.ts";
import { headline } from "../../../workflows/evaluate/nursery_exam.ts";
import { readSamples } from "../../../workflows/evaluate/samples.ts";
import { readEnvironments } from "../../../workflows/logging/environment.ts";
import { type Reporter, silent } from "../../../workflows/logging/reporter.ts";
import { readMetrics } from "../../../workflows/logging/run_log.ts";
import { readCertificate } from "../../../workflows/safety/certificate/read.ts";
import { checkNumbers } from "../../../workflows/safety/certificate/verify.ts";
import { readWorldModelCard } from "../../../workflows/safety/world_model/files.ts";
import { verifyAudit } from "../../../workflows/stages/audit.ts";
import { train } from "../../../workflows/train/trainer.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";
import { assertSameRun, inFolder, interruptTrain, runTrain, SMALL } from "./helpers.ts";

await testGpu(); // sets the environment that an adapter needs

const STAGES = "stages=[" + [
  "{name: imprint, kind: value_imprinting, steps: 2, fisher: {samples: 4}",
  "{name: apprentice, kind: apprenticeship, steps: 2, weights: {pl: 1}",
  "{name: imagine, kind: counterfactual_imagination, steps: 4",
  "{name: capacitor, kind: value_capacitor, steps: 4, capacitor: {replies_per_context: 2, max_new_tokens: 4}",
].map((stage) => `${stage}, data: nursery, learning_rate: 1e-3}`).join(", ") + "]";
const WORLD_MODEL =
  "world_model={proposals: 64, own_replies: 8, test_replies: 400, replies_per_step: 16, epochs: 2, " +
  "learning_rate: 1e-3, false_positive_rate: 0.2}";
const RUN = [
  STAGES,
  ...SMALL,
  "stages.all.length=64",
  "stages.all.save_every=2",
  "stages.all.log_every=3",
  WORLD_MODEL,
  "gate={first: {facts: 0}, last: {facts: 0}, n_stable: 1, every: 2, dialogues: 1, max_new_tokens: 2}",
];

Deno.test("programme: all stages, the exam as worn and the certificate, as configured", () =>
  inFolder(async (folder) => {
    const out = join(folder, "run");
    const { config } = resolveConfig({
      overrides: [
        ...RUN,
        "evaluate={dialogues: 1, max_new_tokens: 4}",
        "certificate={dialogues: 24, delta: 0.1, limit: 0.9, patterns: nursery}",
      ],
    });
    const request = { config, folder: out, resume: null, reporter: silent, stopped: () => false };
    const result = await train(request);
    assertEquals(result.gates.map(({ stage, action }) => `${stage} ${action}`), [
      "imprint promote",
      "apprentice promote",
      "imagine promote",
      "capacitor promote",
    ]);
    const examined = [
      "untrained",
      "imprint",
      "apprentice",
      "imagine",
      "capacitor",
      "with capacitor",
    ];
    assertEquals(Object.keys(result.scores), examined);
    const exams = Object.entries(await readExams(out));
    assertEquals(
      exams.map(([name, exam]) => [name, headline(exam)]),
      Object.entries(result.scores),
    );
    const samples = await readSamples(out);
    assert(samples.length > 20, `${samples.length} samples`);
    for (const { replies } of samples) assertEquals(Object.keys(replies), examined);
    const { training, threshold, errors } = await readWorldModelCard(join(out, "world_model"));
    assertEquals(
      [training.replies, training.replies_per_step, training.epochs, training.learning_rate],
      [64 + 2 * 8, 16, 2, 1e-3],
    );
    assertEquals(threshold.false_positive_rate, 0.2);
    assertEquals(errors.replies, 400 + 100);
    const certificate = await readCertificate(result.certificate!);
    const { dialogues, delta, limit } = certificate.settings;
    assertEquals([dialogues, delta, limit], [24, 0.1, 0.9]);
    assert(certificate.patterns !== null && certificate.capacitor !== null);
    assertEquals(checkNumbers(certificate), []);
    const { ok, entries } = await verifyAudit(out);
    assertEquals([ok, entries.map(({ event }) => event).join(" ")], [
      true,
      "start reference gate gate gate world_model gate certificate end",
    ]);
    const rows = await readMetrics(join(out, "metrics.jsonl"));
    const imagined = rows.find(({ stage, step }) => stage === "imagine" && step === 3)!;
    assert(Number(imagined["imagination/worst"]) >= Number(imagined["imagination/mean"]));
    for (const term of ["preference", "counterfactual", "capacitor", "plasticity"]) {
      assert(rows.some((row) => Object.keys(row).some((key) => key.startsWith(`${term}/`))), term);
    }
    // A run at its end has nothing left to do.
    const resume = { stage: "capacitor", step: 4 };
    const again = await train({ ...request, resume });
    assertEquals([again.checkpoint, again.certificate], [result.checkpoint, result.certificate]);
    assertEquals((await verifyAudit(out)).entries.length, entries.length);
    assertEquals((await readEnvironments(out)).length, 1);
  }));

Deno.test("programme: interrupted in a search, while the world model is built, or while replies are sampled", () =>
  inFolder(async (folder) => {
    const run = async (args: readonly string[]) => {
      const { code, stderr } = await runTrain(args);
      assertEquals(code, 0, stderr);
    };
    const whole = join(folder, "whole");
    await run(["--out", whole, ...RUN]);
    const places = [
      ["search", "checkpoints/imagine-2/stage.json", ""],
      ["building", "checkpoints/imagine-4/stage.json", '"complete": true'],
      ["built", "audit.jsonl", '"world_model"'],
      ["sampling", "checkpoints/capacitor-2/stage.json", ""],
    ] as const;
    for (const [name, path, text] of places) {
      const out = join(folder, name);
      await interruptTrain(out, RUN, path, "SIGKILL", text);
      await run(["--resume", out]);
      assertSameRun(out, whole);
    }
  }));

Deno.test("programme: who stops while the world model is built goes on later", () =>
  inFolder(async (folder) => {
    const { config } = resolveConfig({ overrides: RUN });
    const [whole, halted] = [join(folder, "whole"), join(folder, "halted")];
    const request = { config, resume: null, reporter: silent, stopped: () => false };
    await train({ ...request, folder: whole });
    let stop = false;
    const reporter: Reporter = {
      ...silent,
      note: (line) => stop ||= line.startsWith("world model: learns"),
    };
    const first = await train({ ...request, folder: halted, reporter, stopped: () => stop });
    assertEquals([first.stopped, first.certificate], [true, null]);
    await train({ ...request, folder: halted, resume: { stage: "imagine", step: 4 } });
    assertSameRun(halted, whole);
  }));

Deno.test("programme: what a stage needs and the run has not is told before anything is written", () =>
  inFolder(async (folder) => {
    const out = join(folder, "run");
    const wrong = [
      ["world_model=null", "stage capacitor: weights.vc needs a world model, and there is none"],
      ["stages.capacitor.capacitor.replies_per_context=4", "must divide batch_size"],
    ];
    for (const [override, message] of wrong) {
      await assertRejects(
        () => {
          const { config } = resolveConfig({ overrides: [...RUN, override] });
          const request = { config, folder: out, resume: null, reporter: silent };
          return train({ ...request, stopped: () => false });
        },
        Error,
        message,
      );
    }
    assertEquals([...Deno.readDirSync(folder)], []);
  }));
