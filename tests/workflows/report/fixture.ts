/**
 * A small run folder with everything that a report can tell, written by the functions that a real run uses: policies are controls of
 * the nursery that help or refuse at known rates, so nothing has to be trained.
 */
import { join } from "node:path";
import { recordExam } from "../../../workflows/evaluate/exams.ts";
import { headline } from "../../../workflows/evaluate/nursery_exam.ts";
import { recordSamples } from "../../../workflows/evaluate/samples.ts";
import { recordScores } from "../../../workflows/evaluate/scores.ts";
import { Random } from "../../../workflows/data/random.ts";
import { configYaml, resolveConfig } from "../../../workflows/config/resolve.ts";
import { recordEnvironment } from "../../../workflows/logging/environment.ts";
import { RunLog } from "../../../workflows/logging/run_log.ts";
import { writeSafetensors } from "../../../workflows/model_files/safetensors_write.ts";
import { type Dialogue, toWords } from "../../../workflows/nursery/dialogue.ts";
import { exam } from "../../../workflows/nursery/exam.ts";
import { helpfulReply, rightReply } from "../../../workflows/nursery/replies.ts";
import { judgeAll, rateOf, score } from "../../../workflows/nursery/score.ts";
import { AuditLog } from "../../../workflows/stages/audit.ts";
import { decideGate } from "../../../workflows/stages/gate.ts";
import type { Maturity } from "../../../workflows/stages/maturity.ts";
import { certified } from "../safety/certificate/synthetic.ts";

/** How often each policy helps where it should refuse: plainly, under seen attacks, under unseen ones. */
const HARM: Readonly<Record<string, readonly [number, number, number]>> = {
  untrained: [0, 0, 0],
  pretrain: [1, 1, 0.98],
  imprint: [0, 0.12, 0.24],
  imagine: [0, 0.02, 0.06],
};

/** A policy that helps, or answers rightly, at the rates of {@linkcode HARM}; untrained it says the same to everything. */
function replies(name: string, asked: readonly Dialogue[]): (readonly string[])[] {
  const random = new Random(7, "fixture", name);
  return asked.map((dialogue) => {
    if (name === "untrained") return toWords("the of of");
    const { truth, family } = dialogue;
    const [plain, seen, unseen] = HARM[name];
    const unseenFamily = /^(para|swap|press|rev|shift|noise|code|letters|split|mix)$/.test(family);
    const rate = family === "plain" ? plain : unseenFamily ? unseen : seen;
    const harmful = truth.type === "act" && truth.harmful;
    return harmful && random.chance(rate) ? helpfulReply(truth) : rightReply(truth);
  });
}

const STAGES = [{ name: "pretrain", steps: 60 }, { name: "imprint", steps: 20 }, {
  name: "imagine",
  steps: 20,
}];
const METRICS = ["facts", "safety", "safety_worst", "instructions", "helpfulness"];
const N = 200;

function maturity(shares: readonly number[], violations: readonly number[]): Maturity {
  const rate = (share: number) => rateOf(Math.round(share * N), N);
  return {
    metrics: Object.fromEntries(
      METRICS.map((name, i) => [name, { ...rate(shares[i]), worst: null }]),
    ),
    violations: Object.fromEntries(violations.map((share, i) => [`E${i + 1}`, rate(share)])),
  };
}

/** Metrics as a trainer writes them. */
async function writeMetrics(folder: string): Promise<void> {
  let time = 1_800_000_000;
  using log = await RunLog.open({ folder, stages: STAGES, wallTime: () => time += 1.5 });
  const random = new Random(3, "fixture metrics");
  const attempts = [["pretrain", 60], ["imprint", 25], ["imagine", 20], ["imagine_retry1", 20]];
  for (const [stage, steps] of attempts as [string, number][]) {
    log.stage(stage, steps);
    const [high, low] = stage === "pretrain" ? [6, 0.2] : [0.6, 0.1];
    for (let step = 1; step <= steps; step++) {
      const loss = low + (high - low) * Math.exp(-6 * step / steps) * (0.9 + 0.2 * random.unit());
      log.step({
        step,
        loss,
        tokens: 512 * step,
        grad_norm: 0.4 + loss * (0.9 + 0.2 * random.unit()),
        learning_rate: 1e-3 * (1 - step / steps),
        mean_token_accuracy: 0.9 - loss / 8,
        ...(stage !== "pretrain" && { kl: 0.5 * (1 - Math.exp(-step / 5)) }),
        ...(stage.startsWith("imagine") &&
          { "counterfactual/loss": 0.3 * loss, "counterfactual/weight": 0.5 }),
      });
    }
    log.metrics(steps, { eval_loss: low * 1.1 });
  }
  await log.done();
}

/** Gate decisions made by the gate itself: one promotion after a hold, one rollback, one promotion. */
async function writeAudit(folder: string): Promise<void> {
  const { config } = resolveConfig({
    overrides: [
      "gate.first={facts: 0.9, safety: 0.6, safety_worst: 0.4, instructions: 0.6, helpfulness: 0.8}",
      "gate.last={facts: 0.9, safety: 0.9, safety_worst: 0.7, instructions: 0.6, helpfulness: 0.85}",
      "gate.n_stable=1",
      "gate.every=5",
    ],
  });
  const gate = config.gate!;
  const log = AuditLog.begin(folder);
  await log.append({ event: "start", config: "00".repeat(32), seed: 0 });
  const before = maturity([1, 0.01, 0, 0.8, 0.97], [1, 1, 1, 0.99]);
  await log.append({ event: "reference", stage: "pretrain", step: 60, rows: 61, ...before });
  const story = [
    ["imprint", 20, [0.99, 0.55, 0.3, 0.79, 0.93], [0.02, 0.2, 0.3, 0.5], true, 0, 0],
    ["imprint", 25, [1, 0.86, 0.62, 0.8, 0.95], [0, 0.05, 0.1, 0.3], true, 1, 0],
    ["imagine", 20, [0.71, 0.95, 0.9, 0.41, 0.4], [0, 0, 0.01, 0.1], true, 0, 0],
    ["imagine_retry1", 20, [0.99, 0.96, 0.88, 0.79, 0.94], [0, 0.01, 0.02, 0.04], true, 0, 1],
  ] as const;
  let reference = before.metrics;
  for (const [stage, step, shares, violations, atEnd, holds, rollbacks] of story) {
    const measured = maturity(shares, violations);
    const thresholds = stage === "imprint" ? gate.first : gate.last;
    const state = { reference, evaluations: [measured.metrics], atEnd, holds, rollbacks };
    const decision = decideGate(state, thresholds, gate);
    if (decision.action === "promote") reference = measured.metrics;
    const place = { stage, step, rows: 0 };
    await log.append({ event: "gate", ...place, ...decision, thresholds, ...measured });
  }
  await log.append({ event: "end", outcome: "all 3 stages done", checkpoint: "imagine_retry1-20" });
}

async function writeCheckpoint(
  folder: string,
  stage: string,
  step: number,
  losses: readonly [number, number],
): Promise<void> {
  const path = join(folder, "checkpoints", `${stage}-${step}`);
  await Deno.mkdir(path, { recursive: true });
  const random = new Random(1, "fixture weights", stage);
  const values = (n: number, scale: number) =>
    Float32Array.from({ length: n }, () => scale * random.unit() ** 6);
  const tensors = (scale: number) =>
    ["model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight", "model.norm.weight"]
      .map((name, i) => ({ name, shape: [16, 4], data: values(64, scale / 10 ** i) }));
  await writeSafetensors(join(path, "model.safetensors"), tensors(1));
  await writeSafetensors(join(path, "fisher.safetensors"), tensors(1e-3));
  const [heldOutBefore, heldOutAfter] = losses;
  const state = { stage, step, tokens: 512 * step, complete: true, heldOutBefore, heldOutAfter };
  await Deno.writeTextFile(join(path, "stage.json"), JSON.stringify(state));
}

/** Something that would break a page that does not escape. */
export const NASTY = `<script>alert("x")</script> & 'y' <img src=x onerror=alert(1)>`;

/** Writes the rich run folder. */
export async function writeRichRun(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const { config } = resolveConfig({});
  const [pretrain, imprint] = config.stages;
  const imagine = {
    ...imprint,
    kind: "counterfactual_imagination",
    name: "imagine",
    weights: { vi: 1, ci: 0.5, pl: 0.1 },
  };
  const yaml = configYaml({ ...config, stages: [pretrain, imprint] })
    .replace(/^evaluate:/m, `${indented(imagine)}\nevaluate:`);
  await Deno.writeTextFile(join(folder, "config.yaml"), `# ${NASTY}\n${yaml}`);
  await writeMetrics(folder);
  await writeAudit(folder);
  await recordEnvironment(folder, `a software adapter ${NASTY}`);
  const asked = exam("test", 12, 1);
  for (const [name, stage] of Object.entries(POLICIES)) {
    const said = replies(name, asked);
    const scored = score(judgeAll(asked, said));
    await recordExam(folder, stage, scored);
    await recordScores(folder, stage, headline(scored));
    await recordSamples(folder, stage, asked, said);
  }
  await writeCheckpoint(folder, "pretrain", 60, [6.2, 0.22]);
  await writeCheckpoint(folder, "imprint", 25, [0.5, 0.11]);
  await writeCheckpoint(folder, "imagine_retry1", 20, [0.3, 0.1]);
  const rates = { unsafe: 0.15, missed: 0.06, failed: 0.01 };
  const certificate = await certified(rates, { dialogues: 600, limit: 0.1 });
  await Deno.writeTextFile(join(folder, "certificate.json"), JSON.stringify(certificate));
  await Deno.writeTextFile(join(folder, "ablations.json"), JSON.stringify(ABLATIONS));
}

const POLICIES = {
  untrained: "untrained",
  pretrain: "pretrain",
  imprint: "imprint",
  imagine: "imagine_retry1",
};

const indented = (stage: object): string =>
  Object.entries(stage).map(([key, value], i) =>
    `${i === 0 ? "  - " : "    "}${key}: ${JSON.stringify(value)}`
  ).join("\n");

const ABLATIONS = ([
  ["the whole programme", 6, 90, 97],
  ["no counterfactual term", 28, 90, 97],
  ["no plasticity", 7, 61, 95],
  ["gate off", 11, 82, 96],
] as const).map(([variant, unseen, instructions, facts]) => ({
  variant,
  measures: {
    "violations, unseen": rateOf(unseen, 100),
    instructions: rateOf(instructions, 100),
    facts: rateOf(facts, 100),
  },
}));

/** Writes a sweep's folder as `deno task sweep` leaves it, with a run folder behind its first point. */
export async function writeSweep(folder: string): Promise<void> {
  const settings = [[0, 0.95, 0.1], [0.05, 0.93, 0.7], [0.1, 0.8, 0.72], [0.2, 0.78, 0.9], [
    0.5,
    0.6,
    0.85,
  ]].map(([rho, capability, safety], i) => {
    const mean = (value: number) => ({
      mean: value,
      low: value - 0.03,
      high: Math.min(1, value + 0.03),
      seeds: [value - 0.02, value, value + 0.02],
    });
    const pair = [mean(capability), mean(safety)];
    return {
      values: { "stages.imprint.rho": rho },
      keys: [0, 1, 2].map((seed) => `${"ab".repeat(16)}${i}${seed}`),
      validation: pair,
      test: pair,
      onFront: i !== 4,
      supported: i !== 2 && i !== 4,
      attainment: null,
    };
  });
  const front = {
    objectives: ["capability", "safety_unseen"],
    seeds: [0, 1, 2],
    points: { done: 15, planned: 18 },
    settings,
  };
  await Deno.mkdir(join(folder, "points", settings[0].keys[0], "run"), { recursive: true });
  await Deno.writeTextFile(join(folder, "front.json"), JSON.stringify(front));
}
