/**
 * The world model of a run: built once, before the first stage that learns from it, kept in the run's folder, and named in the audit file.
 *
 * It starts from the policy before any safety training, which reads recipes best, and learns from replies made for the purpose, from
 * that policy's and from the present one's (INFANT section 3: M_phi is trained apart from pi_theta).
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import type { FileData, HubData, WorldModelConfig } from "../config/config.ts";
import { openDataset } from "../data/dataset.ts";
import { normaliseRows } from "../data/formats/normalise.ts";
import type { TaskRow } from "../data/formats/rows.ts";
import { TokenisationReport } from "../data/report.ts";
import { chatRenderer } from "../data/tokenise/chat.ts";
import { buildNurseryWorldModel } from "../safety/capacitor/nursery_build.ts";
import {
  buildWorldModel,
  type BuiltWorldModel,
  splitReplies,
} from "../safety/world_model/build.ts";
import type { LabelledReply } from "../safety/world_model/examples.ts";
import { loadWorldModel, saveWorldModel } from "../safety/world_model/files.ts";
import { labelledRows } from "../safety/world_model/rows.ts";
import { checkpointFolder } from "../run_folder.ts";
import { datasetOptions, formatOptions } from "./data_options.ts";
import { loadWeights, startingPolicy } from "./policy_source.ts";
import { completedPlace } from "./prepare.ts";
import type { Run } from "./session.ts";

/** Where a run keeps its world model. */
export function worldModelFolder(run: string): string {
  return join(run, "world_model");
}

/**
 * Opens the run's world model, building it for `policy` where there is none yet.
 * @returns Whether there is one; false when asked to stop meanwhile, or the configuration has none that this run can have.
 * @throws {InputError} when it cannot be built from what the run learns from.
 */
export async function openWorldModel(run: Run, policy: PolicyWeights): Promise<boolean> {
  const { gpu, tokenizer, audit, report, request: { config, folder, stopped } } = run;
  if (run.judge) return true;
  const nursery = run.stages.some(({ stage }) => stage.data === "nursery");
  if (!config.world_model || (config.world_model.data === "nursery" && !nursery)) return false;
  const place = worldModelFolder(folder);
  if (!audit.entries.some(({ event }) => event === "world_model")) {
    const prior = await priorPolicy(run);
    const built = await build(run, config.world_model, prior, policy);
    if (stopped()) return false;
    const card = await saveWorldModel(place, { ...built, tokenizer });
    const { threshold, errors: { cells } } = card;
    await audit.append({
      event: "world_model",
      weights: card.weights_sha256,
      threshold: threshold.value,
      false_positive_rate: threshold.flagged,
      errors: Object.fromEntries(
        Object.entries(cells).filter(([cell]) => cell.split("/").length <= 2),
      ),
    });
    for (const source of ["proposal", "policy", "file"]) {
      const missed = cells[source]?.falseNegatives;
      if (!missed || missed.n === 0) continue;
      report.note(`world model: misses ${missed.k} of ${missed.n} unsafe test replies (${source})`);
    }
  }
  const { worldModel, card } = await loadWorldModel(gpu, place);
  const recorded = audit.entries.find(({ event }) => event === "world_model")?.weights;
  if (card.weights_sha256 !== recorded) {
    worldModel.destroy();
    throw new InputError(
      `${place} is not the world model of this run's audit file: restore it, or start the run anew`,
    );
  }
  run.judge = { worldModel, card };
  return true;
}

/** Trains it, sets its threshold and counts its errors. */
async function build(
  run: Run,
  settings: WorldModelConfig,
  prior: PolicyWeights,
  policy: PolicyWeights,
): Promise<BuiltWorldModel> {
  const { gpu, tokenizer, report, request: { config: { seed }, stopped } } = run;
  const { proposals, own_replies, test_replies: test } = settings;
  const { learning_rate, replies_per_step, epochs } = settings;
  const common = {
    start: prior,
    falsePositiveRate: settings.false_positive_rate,
    listener: { onMetrics: () => !stopped() },
  };
  const training = { learningRate: learning_rate, repliesPerStep: replies_per_step, epochs };
  if (settings.data === "nursery") {
    report.note(`world model: learns from ${proposals} replies and ${own_replies} of each policy`);
    const policies = [prior, policy];
    const measured = { validation: Math.round(0.75 * test), test, own: Math.round(test / 4) };
    const learned = { policies, proposals, ownReplies: own_replies };
    return await buildNurseryWorldModel(gpu, { ...common, ...learned, measured, training, seed });
  }
  const replies = await fileReplies(run, settings, settings.data);
  report.note(`world model: learns from ${replies.length} labelled replies`);
  const ids = tokenizer!.encode(settings.refusal);
  return await buildWorldModel(gpu, {
    ...common,
    data: splitReplies(replies, seed),
    safeReplies: [{ text: settings.refusal, ids: [...ids] }],
    training: { ...training, seed },
  });
}

/** Labelled replies of a file, as long as the run's stages read them. */
async function fileReplies(
  { tokenizer, stages, report }: Run,
  { labels }: WorldModelConfig,
  data: FileData | HubData,
): Promise<LabelledReply[]> {
  const place = "path" in data ? data.path : data.hub;
  if (!tokenizer) throw new InputError(`world_model: reading ${place} needs model.tokenizer`);
  const dropped = new TokenisationReport();
  const dataset = await openDataset(place, datasetOptions(data));
  const rows = taken(normaliseRows(dataset, formatOptions(data), dropped), data.limit);
  const maxLength = Math.max(...stages.map(({ stage }) => stage.length));
  const options = { maxLength, promptWeight: 0, chat: chatRenderer(tokenizer) };
  const labelled = labels === "given" ? rows : byPreference(rows);
  const replies = await labelledRows(labelled, tokenizer, options, dropped);
  report.note(`${place}: ${dropped}`);
  return replies;
}

async function* taken(rows: AsyncIterable<TaskRow>, limit: number | null): AsyncGenerator<TaskRow> {
  let count = 0;
  for await (const row of rows) {
    if (count++ === limit) return;
    yield row;
  }
}

/** Of two replies the rejected one counts as unsafe: a stand-in where nobody has labelled either. */
async function* byPreference(rows: AsyncIterable<TaskRow>): AsyncGenerator<TaskRow> {
  for await (const row of rows) {
    if (row.kind !== "preference") {
      throw new InputError(
        `${row.where}: world_model.labels: preference needs chosen and rejected replies, found a ${row.kind} row`,
      );
    }
    yield { ...row, safe: { chosen: true, rejected: false } };
  }
}

/** The policy before the first stage with INFANT's objective. */
async function priorPolicy(
  { request: { config, folder }, stages, audit }: Run,
): Promise<PolicyWeights> {
  const first = stages.findIndex(({ stage }) => stage.kind !== "language_modelling");
  if (first === 0) return (await startingPolicy(config)).weights;
  return await loadWeights(
    checkpointFolder(folder, completedPlace(audit.entries, stages[first - 1])),
  );
}
