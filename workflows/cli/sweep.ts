/**
 * `deno task sweep`: the frontier of capability and safety over any keys of the training configuration.
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { readText } from "../config/files.ts";
import { onInterrupt } from "../files.ts";
import { suggestion } from "../nearest.ts";
import { defaultRunFolder } from "../run_folder.ts";
import { bullmqEngine } from "../sweep/bullmq_engine.ts";
import { startingSettings } from "../sweep/design.ts";
import { type Engine, localEngine, progressReporter } from "../sweep/engine.ts";
import { frontTable } from "../sweep/front.ts";
import { PointThread } from "../sweep/in_thread.ts";
import { Planner } from "../sweep/plan.ts";
import { SWEEPS } from "../sweep/presets.ts";
import { sweepProgress } from "../sweep/progress.ts";
import { QUEUE } from "../sweep/queue.ts";
import { writeSlurm } from "../sweep/slurm.ts";
import { parseSpec, type SweepSpec } from "../sweep/spec.ts";
import { stagesTable, sweepStages } from "../sweep/stages.ts";
import { sweep, sweepState, writeDescription, writeFront } from "../sweep/sweep.ts";
import {
  type Command,
  defaultAdapter,
  defineCommand,
  type Invocation,
  main,
  type Outcome,
} from "./command.ts";

const ENGINES = ["local", "bullmq", "slurm"] as const;

const OPTIONS = {
  preset: { type: "string", value: "NAME", help: `start from ${Object.keys(SWEEPS).join(", ")}` },
  resume: { type: "string", value: "DIR", help: "continue the sweep in this folder" },
  status: { type: "string", value: "DIR", help: "what the sweep in this folder has found so far" },
  engine: {
    type: "string",
    value: "NAME",
    help:
      "local (default): here, one point at a time; bullmq: sweep:worker's; slurm: write an array job",
  },
  redis: { type: "string", value: "URL", help: "with bullmq: redis://HOST:PORT" },
  queue: { type: "string", value: "NAME", help: `with bullmq: name of the queue (${QUEUE})` },
  only: { type: "string", value: "KEY", help: "compute this one point, or these shared stages" },
} as const;

type Sweep = Invocation<typeof OPTIONS>;
type Values = Sweep["values"];

/** The description, and the folder it belongs to. */
async function described(
  { values, overrides }: Sweep,
): Promise<{ readonly spec: SweepSpec; readonly folder: string }> {
  const { preset, config, resume, status, out } = values;
  const given = { preset, config, resume, status };
  const sources = Object.entries(given).filter(([, value]) => value !== undefined);
  if (sources.length !== 1) {
    const found = sources.map(([name]) => `--${name}`).join(" and ") || "none of them";
    throw new InputError(
      `name one sweep: --config FILE.yaml, --preset NAME, --resume DIR or --status DIR, found ${found}`,
    );
  }
  const folder = resume ?? status;
  if (folder !== undefined && out !== undefined) {
    throw new InputError("--out names a new folder: leave it out where a sweep's own is named");
  }
  const file = preset !== undefined
    ? { path: `preset ${preset}`, text: presetText(preset) }
    : await fileText(folder === undefined ? config! : join(folder, "sweep.yaml"));
  const seed = values.seed === undefined ? [] : [`seeds=[${values.seed}]`];
  return {
    spec: parseSpec({ file, overrides: [...overrides, ...seed] }),
    folder: folder ?? out ?? defaultRunFolder("sweep", new Date()),
  };
}

async function fileText(path: string): Promise<{ path: string; text: string }> {
  return { path, text: await readText(path) };
}

function presetText(name: string): string {
  if (Object.hasOwn(SWEEPS, name)) return SWEEPS[name];
  throw new InputError(`unknown preset "${name}"${suggestion(name, Object.keys(SWEEPS))}`);
}

function engineName({ engine = "local", redis, queue }: Values): typeof ENGINES[number] {
  const name = ENGINES.find((one) => one === engine);
  if (!name) {
    throw new InputError(`--engine: there is no "${engine}"${suggestion(engine, ENGINES)}`);
  }
  if (name === "bullmq" && redis === undefined) {
    throw new InputError("--engine bullmq needs --redis URL, e.g. redis://127.0.0.1:6379");
  }
  if (name !== "bullmq" && (redis ?? queue) !== undefined) {
    throw new InputError("--redis and --queue belong to --engine bullmq");
  }
  return name;
}

async function status(spec: SweepSpec, folder: string, { values }: Sweep): Promise<Outcome> {
  const { report } = await sweepState(spec, folder);
  await writeFront(folder, report);
  const progress = await Deno.readTextFile(join(folder, "progress.json"))
    .then((text) => JSON.parse(text), () => null);
  const stages = await sweepStages(folder, report);
  if (!values.json) {
    [...frontTable(report), ...stagesTable(stages)].forEach((line) => console.log(line));
    if (progress) {
      console.log(`at ${progress.time} these were being computed:`);
      for (const { point, stage, step, of } of progress.running) {
        console.log(`  ${point}: ${stage} ${step}/${of}`);
      }
    }
  }
  return { ok: true, json: { sweep: folder, ...report, stages, running: progress?.running ?? [] } };
}

/** One point of a sweep by its key, for a task of an array job. */
async function one(spec: SweepSpec, folder: string, key: string, sweep: Sweep): Promise<Outcome> {
  const points = await new Planner(spec).points(startingSettings(spec.search));
  const point = points.find((point) => point.key === key);
  const shared = points.flatMap(({ work }) => work.kind === "training" ? [work.shared] : [])
    .find((stages) => stages?.key === key);
  if (!point && !shared) {
    throw new InputError(
      `--only: the sweep in ${folder} has no point of key ${key}: its description, data or code has changed`,
    );
  }
  const thread = new PointThread();
  const stop = new AbortController();
  using _listening = onInterrupt(() => stop.abort());
  const options = {
    folder,
    adapter: adapterOf(sweep.values),
    reporter: progressReporter(() => {}),
    signal: stop.signal,
  };
  const done = point
    ? await thread.point(point, options) !== null
    : await thread.shared(shared!, options);
  thread.close();
  return { ok: done, json: { sweep: folder, key } };
}

const adapterOf = ({ adapter }: Values): string | null => adapter ?? defaultAdapter() ?? null;

async function slurm(spec: SweepSpec, folder: string, { note }: Sweep): Promise<Outcome> {
  if (spec.search.adaptive) {
    throw new InputError(
      "--engine slurm knows all points in advance, an adaptive search does not: use local or bullmq",
    );
  }
  const points = await new Planner(spec).points(startingSettings(spec.search));
  await writeDescription(folder, spec);
  const files = await writeSlurm(folder, points);
  note(`submit with: sh ${files.submit}  (${files.shared} + ${files.points} tasks)`);
  note(`look at it with: deno task sweep --status ${folder}`);
  return { ok: true, json: { sweep: folder, ...files } };
}

async function run(spec: SweepSpec, folder: string, { values, note }: Sweep): Promise<Outcome> {
  const engine: Engine = engineName(values) === "bullmq"
    ? await bullmqEngine({ url: values.redis!, queue: values.queue ?? QUEUE })
    : localEngine({ folder, adapter: adapterOf(values) });
  const listener = sweepProgress(spec.objectives);
  const stop = new AbortController();
  using _listening = onInterrupt(() => {
    listener.note("stopping; press Ctrl-C again to end at once");
    stop.abort();
  });
  listener.note(`sweep in ${folder}`);
  const request = { spec, folder, engine, listener, signal: stop.signal };
  const outcome = await sweep(request).finally(async () => {
    listener.end();
    await engine.close();
  });
  const { report, failed, stopped } = outcome;
  const stages = await sweepStages(folder, report);
  [...frontTable(report), ...stagesTable(stages)].forEach(note);
  note(`front ${join(folder, "front.json")}, front.vl.json and front.svg`);
  const failures = Object.keys(failed).length;
  if (failures > 0) note(`${failures} points failed: ${Object.keys(failed).join("; ")}`);
  if (stopped || failures > 0) note(`continue with: deno task sweep --resume ${folder}`);
  return {
    ok: !stopped && failures === 0,
    json: { sweep: folder, ...report, stages, failed, stopped },
  };
}

/** The command. */
export const sweepCommand: Command<typeof OPTIONS> = defineCommand({
  name: "sweep",
  summary: "Measures capability and safety over any keys of the configuration: their frontier.",
  options: OPTIONS,
  ownConfig: true,
  notes: [
    "",
    "Points that have a result are not computed again; what was interrupted goes on.",
    "",
    "  deno task sweep --preset lambda --out runs/lambda",
    "  deno task sweep --config my.yaml seeds=[0,1,2] train.stages.imprint.steps=50",
    "  deno task sweep --status runs/lambda",
    "  deno task sweep --resume runs/lambda --engine bullmq --redis redis://127.0.0.1:6379",
    "  deno task sweep --config my.yaml --engine slurm --out runs/cluster",
  ],
  async run(invocation) {
    const engine = engineName(invocation.values);
    const { spec, folder } = await described(invocation);
    const { status: asked, only } = invocation.values;
    if (asked !== undefined) return await status(spec, folder, invocation);
    if (only !== undefined) return await one(spec, folder, only, invocation);
    return engine === "slurm"
      ? await slurm(spec, folder, invocation)
      : await run(spec, folder, invocation);
  },
});

if (import.meta.main) await main(sweepCommand);
