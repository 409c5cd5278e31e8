/**
 * `deno task train`: the staged programme, from a preset, a file and overrides to a run folder.
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import type { TrainConfig } from "../config/config.ts";
import { readText } from "../config/files.ts";
import { PRESETS } from "../config/presets.ts";
import { type ConfigSources, configYaml, resolveConfig } from "../config/resolve.ts";
import { onInterrupt } from "../files.ts";
import { progress } from "../logging/progress.ts";
import { type CheckpointPlace, defaultRunFolder, listCheckpoints } from "../run_folder.ts";
import { watchRun } from "../report/live/in_worker.ts";
import { writeReport } from "../report/report.ts";
import { attemptNames } from "../stages/programme.ts";
import { trainInWorker, type WorkerRequest } from "../train/in_worker.ts";
import { summaryLines } from "../train/summary.ts";
import { type Command, type CommonValues, defaultAdapter, defineCommand, main } from "./command.ts";
import type { Values } from "./options.ts";

/** Trains. */
export type Train = (request: WorkerRequest) => Promise<TrainOutcome>;

/** A trainer's result: for programs, and as lines for people. */
export interface TrainOutcome {
  /** What `--json` prints beside the run folder. */
  readonly json: Readonly<Record<string, unknown>>;
  /** The summary. */
  readonly lines: readonly string[];
  /** A gate ended the programme before its last stage was promoted: the command has failed. */
  readonly ended?: boolean;
}

const OPTIONS = {
  preset: { type: "string", value: "NAME", help: `start from ${Object.keys(PRESETS).join(", ")}` },
  resume: { type: "string", value: "DIR", help: "continue the run in this folder" },
  watch: { type: "boolean", help: "serve the run's report on this machine while it trains" },
  port: {
    type: "integer",
    value: "N",
    min: 0,
    help: "with --watch: its port (default: a free one)",
  },
  "show-config": { type: "boolean", help: "print the resolved configuration and stop" },
} as const;

type TrainValues = Values<typeof OPTIONS> & CommonValues;

/** Options that are short for overrides come last, so that they win. */
async function sources(values: TrainValues, overrides: readonly string[]): Promise<ConfigSources> {
  if (values.resume !== undefined && (values.config ?? values.preset ?? values.out) !== undefined) {
    throw new InputError(
      "--resume takes its configuration from the run folder and goes on there: leave out --config, --preset and --out",
    );
  }
  const path = values.resume === undefined ? values.config : join(values.resume, "config.yaml");
  const short = (["out", "seed", "adapter", "matmul"] as const).flatMap((key) =>
    values[key] === undefined ? [] : [`${key}=${JSON.stringify(values[key])}`]
  );
  return {
    preset: values.preset,
    file: path === undefined ? undefined : { path, text: await readText(path) },
    overrides: [...overrides, ...short],
  };
}

/** The last checkpoint of the run in `folder`. */
async function lastCheckpoint(folder: string, config: TrainConfig): Promise<CheckpointPlace> {
  const attempts = config.stages.flatMap(({ name }) => attemptNames(name, config.gate));
  const last = (await listCheckpoints(folder, attempts.map((name) => ({ name })))).at(-1);
  if (last) return last;
  throw new InputError(
    `${folder} has no checkpoint to continue from: start anew with --config ${folder}/config.yaml --out DIR`,
  );
}

/** The command, around the trainer that does the work. */
export function trainCommand(train: Train): Command {
  return defineCommand({
    name: "train",
    summary:
      "Trains a policy in stages and examines it after each; without arguments in the nursery.",
    options: OPTIONS,
    ownConfig: true,
    notes: [
      "",
      "  deno task train",
      "  deno task train --preset nursery-full --out runs/full --seed 1",
      "  deno task train --config my.yaml stages.imprint.rho=0.1 stages.all.batch_size=4",
      "  deno task train --resume runs/full",
      "  deno task train --watch",
    ],
    async run({ values, overrides, note }) {
      const { config, preset, notices } = resolveConfig(await sources(values, overrides));
      if (values["show-config"]) {
        if (!values.json) console.log(configYaml(config).trimEnd());
        return { ok: true, json: { config } };
      }
      notices.forEach((line) => note(`note: ${line}`));
      const folder = values.resume ?? config.out ?? defaultRunFolder(preset, new Date());
      const resume = values.resume === undefined ? null : await lastCheckpoint(folder, config);
      const stop = new AbortController();
      const reporter = progress();
      using _listening = onInterrupt(() => {
        reporter.note("stopping after this step; press Ctrl-C again to end at once");
        stop.abort();
      });
      const adapter = config.adapter ?? defaultAdapter() ?? null;
      const watch = values.watch
        ? await watchRun(folder, values.port ?? 0, (text) => note(`live view lost: ${text}`))
        : null;
      if (watch) note(`watch     ${watch.url}`);
      const result = await train({
        config: { ...config, adapter },
        folder,
        resume,
        reporter,
        signal: stop.signal,
      }).finally(() => watch?.finish());
      if (stop.signal.aborted) note(`stopped: continue with --resume ${folder}`);
      else result.lines.forEach(note);
      return { ok: !stop.signal.aborted && !result.ended, json: { run: folder, ...result.json } };
    },
  });
}

/** Writes the report of a run that has ended. The run stands without it, so a failure is told and no more. */
async function reportOf(folder: string): Promise<{ json: { report?: string }; line: string }> {
  const out = join(folder, "report.html");
  try {
    await writeReport({ runs: [folder], sweep: null, out });
    return { json: { report: out }, line: `report    ${out}  (opens in any browser)` };
  } catch (error) {
    return { json: {}, line: `no report: ${(error as Error).message}` };
  }
}

if (import.meta.main) {
  await main(trainCommand(async (request) => {
    const result = await trainInWorker(request);
    const lines = summaryLines(result, request.folder);
    if (result.stopped) return { json: { ...result }, lines };
    const report = await reportOf(request.folder);
    const { ended } = result;
    return { json: { ...result, ...report.json }, lines: [...lines, report.line], ended };
  }));
}
