/**
 * A published policy and published data, from files to a trained folder to another runtime.
 *
 * The policy is stories260K (Karpathy, llama2.c); the data are a sample of TinyStories and of HH-RLHF. Full runs are recorded in
 * the run folders that users make; these are a few steps of the same presets.
 */
import { join } from "node:path";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { readFloats } from "../../../kernels/gpu/readback.ts";
import { loadParameters } from "../../../kernels/policy/parameters.ts";
import { TokenTensors } from "../../../kernels/policy/batch.ts";
import { languageModelHead, transformer } from "../../../kernels/policy/transformer.ts";
import type { PolicyWeights } from "../../../kernels/policy/config.ts";
import { ropeTable } from "../../../kernels/rope/rope.ts";
import { readMetrics } from "../../../workflows/logging/run_log.ts";
import { loadModel } from "../../../workflows/model_files/load_model.ts";
import { onnxBytes } from "../../../workflows/model_files/onnx/export.ts";
import { readSafetensors } from "../../../workflows/model_files/safetensors.ts";
import { readCertificate } from "../../../workflows/safety/certificate/read.ts";
import { checkNumbers } from "../../../workflows/safety/certificate/verify.ts";
import { readWorldModelCard } from "../../../workflows/safety/world_model/files.ts";
import { verifyAudit } from "../../../workflows/stages/audit.ts";
import { isGate } from "../../../workflows/stages/programme.ts";
import { assert, assertEquals } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";
import { sharedPath, sharedTest } from "../../shared.ts";
import { inFolder, runTrain } from "./helpers.ts";

const MODEL = ["data", "models", "stories260K"];

interface Report {
  readonly checkpoint: string;
  readonly heldOut: Readonly<Record<string, { before: number; after: number }>>;
}

/** A preset on local files. */
async function runPreset(
  preset: string,
  model: string,
  out: string,
  ...overrides: string[]
): Promise<Report> {
  const { code, stdout, stderr } = await runTrain([
    "--preset",
    preset,
    "--out",
    out,
    "--json",
    `model.from=${model}/stories260K.bin`,
    `model.tokenizer=${model}/tok512.bin`,
    "stages.all.length=128",
    ...overrides,
  ]);
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}

/** Our own logits [length * vocabulary] of one sequence, from the GPU. */
async function ownLogits(weights: PolicyWeights, ids: readonly number[]): Promise<Float32Array> {
  const gpu = await testGpu();
  const { config } = weights;
  const parameters = loadParameters(gpu, weights, { trainable: false });
  const tokens = new TokenTensors(gpu, config, 1, ids.length);
  const zeros = new Uint32Array(ids.length);
  tokens.upload({
    rows: 1,
    length: ids.length,
    ids: Uint32Array.from(ids),
    targets: zeros,
    weights: new Float32Array(ids.length),
    positions: zeros.map((_, i) => i),
    starts: zeros,
  });
  const tape = new Tape(gpu, "logits");
  const rope = ropeTable(gpu, config);
  const logits = tape.noGrad(() =>
    tape.keep(
      languageModelHead(tape, parameters, transformer(tape, parameters, tokens, { rope })),
    )
  );
  tape.run();
  const values = await readFloats(gpu, logits);
  tape.destroy();
  tokens.destroy();
  parameters.destroy();
  rope.place.buffer!.destroy();
  return values;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assertEquals(a.length, b.length);
  let worst = 0;
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i] - b[i]));
  return worst;
}

sharedTest(
  "stories260K learns from TinyStories, and its folder gives the same logits in onnxruntime-web",
  MODEL,
  (model) =>
    inFolder(async (folder) => {
      const stories = sharedPath("data", "text", "tinystories_sample.txt")!;
      const report = await runPreset(
        "stories",
        model,
        join(folder, "run"),
        `stages.stories.data.path=${stories}`,
        "stages.stories.steps=12",
      );
      const { before, after } = report.heldOut.stories;
      console.log(`held-out loss ${before.toFixed(3)} -> ${after.toFixed(3)}`);
      assert(before > 1.5 && before < 2, `the published policy's loss: ${before}`);
      assert(after < before - 0.01, `${before} -> ${after}`);

      const { weights, tokenizer } = await loadModel(report.checkpoint);
      const ids = [
        1,
        ...tokenizer!.encode("Once upon a time, there was a little girl named Lily."),
      ];
      const own = await ownLogits(weights, ids);
      const onnx = onnxBytes(weights);
      for (const provider of ["wasm", "webgpu"] as const) {
        const ort = provider === "wasm"
          ? await import("onnxruntime-web/wasm")
          : await import("onnxruntime-web/webgpu");
        const session = await ort.InferenceSession.create(onnx, {
          executionProviders: [provider],
          logSeverityLevel: 3,
        });
        const input = new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]);
        const { logits } = await session.run({ input_ids: input });
        const worst = largestDifference(logits.data as Float32Array, own);
        console.log(`onnxruntime-web, ${provider}: largest difference of a logit ${worst}`);
        assert(worst < 1e-4, `${provider}: ${worst}`);
        await session.release();
      }
    }),
);

sharedTest(
  "stories260K is imprinted with HH-RLHF's chosen replies: loss falls, KL is reported, Fisher information is saved",
  MODEL,
  (model) =>
    inFolder(async (folder) => {
      const pairs = sharedPath("data", "preference", "hh-rlhf", "harmless-base-test.jsonl.gz")!;
      const out = join(folder, "run");
      const report = await runPreset(
        "hh-imprint",
        model,
        out,
        `stages.imprint.data.path=${pairs}`,
        "stages.imprint.steps=15",
        "stages.imprint.log_every=3",
        "stages.imprint.fisher.samples=16",
      );
      const { before, after } = report.heldOut.imprint;
      console.log(`held-out loss ${before.toFixed(3)} -> ${after.toFixed(3)}`);
      assert(after < before - 0.1, `${before} -> ${after}`);
      const rows = (await readMetrics(join(out, "metrics.jsonl"))).filter((row) => "kl" in row);
      const kl = rows.map((row) => Number(row.kl));
      assertEquals(kl.length, 5);
      // The policy starts as its own prior and moves away from it.
      assert(kl[0] >= 0 && kl[0] < kl[4] && kl[4] < 5, kl.join(" "));
      const fisher = await readSafetensors(join(report.checkpoint, "fisher.safetensors"));
      const weights = await readSafetensors(join(report.checkpoint, "model.safetensors"));
      assertEquals([...fisher.keys()].sort(), [...weights.keys()].sort());
      for (const [name, { data }] of fisher) {
        const values = data as Float32Array;
        assert(values.every((value) => Number.isFinite(value) && value >= 0), name);
        assert(values.some((value) => value > 0), `${name} is zero`);
      }
    }),
);

sharedTest(
  "stories260K goes through the whole programme on HH-RLHF, and is certified on red-team prompts",
  MODEL,
  (model) =>
    inFolder(async (folder) => {
      const pairs = sharedPath("data", "preference", "hh-rlhf", "harmless-base-test.jsonl.gz")!;
      const comments = await Deno.readTextFile(sharedPath("data", "toxicity", "toxicity_en.csv")!);
      const labelled = comments.split("\n").slice(1, 60).map((line) =>
        JSON.stringify({
          text: line.replace(/,(Not )?Toxic\s*$/, ""),
          harmful: /,Toxic\s*$/.test(line),
        })
      );
      const labels = join(folder, "labels.jsonl");
      await Deno.writeTextFile(labels, labelled.join("\n"));
      const prompts = sharedPath("data", "redteam", "simple_safety_tests.csv")!;
      const judge =
        new URL("../../../workflows/safety/patterns/english.yaml", import.meta.url).pathname;
      const out = join(folder, "run");
      const report = await runPreset(
        "hh",
        model,
        out,
        `stages.all.data.path=${pairs}`,
        "stages.all.steps=6",
        "stages.imprint.fisher.samples=8",
        "stages.capacitor.capacitor.max_new_tokens=16",
        `world_model.data.path=${pairs}`,
        "world_model.data.limit=120",
        "gate.every=3",
        `certificate={dialogues: 16, limit: 0.99, max_new_tokens: 16, prompts: {data: ${prompts}, ` +
          `column: prompts_final, judge: ${judge}, labels: ${labels}}}`,
      );
      assertEquals(Object.keys(report.heldOut), ["imprint", "apprentice", "imagine", "capacitor"]);
      const { ok, entries } = await verifyAudit(out);
      assert(ok);
      const gates = entries.filter(isGate);
      assertEquals(gates.filter(({ action }) => action === "promote").length, 4);
      for (const { metrics: { preference, prediction } } of gates) {
        assert(preference.n > 50 && prediction.n > 1000);
        assert(preference.rate! > 0.3 && preference.rate! < 0.8, `${preference.rate}`);
        assert(prediction.rate! > 0.2 && prediction.rate! < 0.6, `${prediction.rate}`);
      }
      // Gates decide by other pairs than are reported.
      const rows = await readMetrics(join(out, "metrics.jsonl"));
      const reported = rows.find((row) => "eval_preference/perToken" in row)!;
      assert(Number(reported["eval_preference/perToken"]) > 0.3);
      assertEquals(Object.keys(gates[0].violations), []);
      const { training } = await readWorldModelCard(join(out, "world_model"));
      assert(training.replies > 150 && training.unsafe > 50);
      const certificate = await readCertificate(join(out, "certificate.json"));
      assertEquals(checkNumbers(certificate), []);
      assertEquals(certificate.data.source, "file");
    }),
);
