/**
 * `deno task bench`: roofs, kernels, training steps and generation, with peers side by side where asked for.
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { initialWeights } from "../../kernels/policy/init.ts";
import { bench, type BenchReport } from "../bench/bench.ts";
import { benchCases, type Case, type CaseOptions } from "../bench/cases.ts";
import { chartSpec, scalingSpec } from "../bench/chart.ts";
import type { Contestant } from "../bench/contestant.ts";
import { INITIAL } from "../bench/contest.ts";
import { doubts, loadAverage, machine } from "../bench/machine.ts";
import { startLlama2c } from "../bench/peers/llama2c.ts";
import { type PeerName, PEERS } from "../bench/peers/packages.ts";
import { peerNames, startPeer, startToolkit } from "../bench/peers/start.ts";
import { table } from "../bench/report.ts";
import { scaling, scalingTable } from "../bench/scaling.ts";
import { benchProgram, gptBatch } from "../bench/toolkit/steps.ts";
import { writeFileAtomic } from "../files.ts";
import { type ChartSpec, toSvg } from "../report/chart.ts";
import { openDevice } from "../setup/open.ts";
import { tune, tuningTable } from "../setup/tuning.ts";
import { writeTuning } from "../setup/tuning_file.ts";
import { type Command, defineCommand, type Invocation, main, type Outcome } from "./command.ts";

const OPTIONS = {
  peers: {
    type: "string",
    value: "[LIST]",
    bare: "all",
    help: "also jax-js and tfjs (fetched from npm) and torch, or those named: --peers tfjs,torch",
  },
  only: { type: "string", value: "LIST", help: "only cases whose id contains one of these texts" },
  rounds: { type: "integer", value: "N", min: 1, help: "interleaved rounds (default 5)" },
  cold: { type: "boolean", help: "only first steps of fresh processes, shader cache empty" },
  scaling: { type: "boolean", help: "how time and memory grow with the sizes of a step, instead" },
  tune: {
    type: "boolean",
    help: "only find out how matrix products are fastest on this adapter, and keep it",
  },
  profile: { type: "boolean", help: "the time of each kernel of a training step, instead" },
  quick: { type: "boolean", help: "small sizes and two rounds, for CI" },
  force: { type: "boolean", help: "call numbers quotable that were measured on a busy machine" },
  "large-length": {
    type: "integer",
    value: "N",
    min: 1,
    help: "tokens of the sequence that GPT-2 small is trained on (default 128)",
  },
  model: {
    type: "string",
    value: "FILE",
    help: "a llama2.c model, for the cases that tell stories",
  },
  tokenizer: { type: "string", value: "FILE", help: "its tokenizer" },
  llama2c: {
    type: "string",
    value: "PROGRAM",
    help: "llama2.c's program, which tells the same stories (or LLAMA2C in the environment)",
  },
  python: {
    type: "string",
    value: "PROGRAM",
    help: "Python with PyTorch (default /usr/bin/python3)",
  },
} as const;

type Bench = Invocation<typeof OPTIONS>;
type Values = Bench["values"];

/** Cases whose id contains one of the texts in `only`, and those that others are judged by: the wait and the roofs. */
function chosenCases(all: readonly Case[], only: string | undefined): readonly Case[] {
  if (only === undefined) return all;
  const texts = only.split(",");
  for (const text of texts) {
    if (all.some(({ id }) => id.includes(text))) continue;
    const ids = all.map(({ id }) => id).join(", ");
    throw new InputError(`--only: no case has "${text}" in its id: choose from ${ids}`);
  }
  return all.filter(({ id }) =>
    /^(wait|roof-)/.test(id) || texts.some((text) => id.includes(text))
  );
}

function caseOptions(values: Values): CaseOptions {
  const { quick = false, model, tokenizer, llama2c } = values;
  if ((model === undefined) !== (tokenizer === undefined) || llama2c && !model) {
    throw new InputError("stories need --model FILE and --tokenizer FILE, both of llama2.c");
  }
  const stories = model !== undefined && tokenizer !== undefined ? { model, tokenizer } : undefined;
  return { quick, stories, largeLength: values["large-length"] };
}

/** Those that were asked for. PyTorch is left out where it is not there, unless it was named. */
async function startPeers(values: Values, note: Bench["note"]): Promise<Contestant[]> {
  const { peers, python } = values;
  const started: Contestant[] = [];
  for (const name of peers === undefined ? [] : peerNames(peers)) {
    note(`loading ${name}`);
    try {
      started.push(await startPeer(name, { python }));
    } catch (error) {
      if (!(error instanceof InputError) || name !== "torch" || peers !== "all") throw error;
      note(`torch is left out: ${error.message}`);
    }
  }
  const llama2c = values.llama2c ?? Deno.env.get("LLAMA2C");
  if (llama2c && values.model) started.push(await startLlama2c(llama2c));
  return started;
}

async function race(
  cases: readonly Case[],
  { values, note }: Bench,
  load: number,
): Promise<Outcome> {
  const { quick = false, force = false, cold = false, adapter, matmul, python } = values;
  // A device of one's own to know the adapter by; it computes nothing.
  const gpu = await openDevice({ adapter, matmul }, note);
  const { software } = gpu.info;
  gpu.close();
  const own = await startToolkit({ adapter, matmul });
  const peers = await startPeers(values, note);
  const report = await bench({
    own,
    software,
    cases: cold ? cases.filter(({ fresh }) => fresh) : cases,
    peers,
    fresh: (name) => (env) =>
      name === own.name
        ? startToolkit({ adapter, matmul, env })
        : startPeer(PEERS.find((peer): peer is PeerName => peer === name)!, { python, env }),
    onlyFresh: cold,
    race: { rounds: values.rounds ?? (quick ? 2 : cold ? 3 : 5), targetMs: quick ? 50 : 400 },
    quick,
    force,
    note,
  }, load);
  for (const contestant of [own, ...peers]) await contestant.end();
  if (!values.json) console.log(table(report));
  await write(values, note, report, chartSpec(report));
  return { ok: allRight(report, own.name), json: { ...report } };
}

/** What a peer computes is its own affair; the toolkit's own kernels must be right. */
function allRight({ cases }: BenchReport, own: string): boolean {
  return cases.every(({ lines, fresh }) =>
    [...lines, ...fresh].every(({ name, problem }) => problem === null || !name.startsWith(own))
  );
}

async function scale({ values, note }: Bench, load: number): Promise<Outcome> {
  const { quick = false, force = false, adapter, matmul } = values;
  const own = await startToolkit({ adapter, matmul });
  const settings = { rounds: values.rounds ?? (quick ? 2 : 3), targetMs: quick ? 20 : 400 };
  const sweeps = await scaling(own, settings, quick, note);
  await own.end();
  const why = doubts(load, quick, force);
  const report = {
    date: new Date().toISOString(),
    quotable: why.length === 0,
    doubts: why,
    loadAverage: { start: load, end: loadAverage() },
    machine: machine(),
    adapter: own.adapter,
    race: settings,
    sweeps,
  };
  if (!values.json) {
    console.log(scalingTable(sweeps));
    if (why.length > 0) console.log(`NOT QUOTABLE: ${why.join("; ")}`);
  }
  await write(values, note, report, scalingSpec(sweeps));
  return { ok: true, json: report };
}

/** Measures the schedules of matrix products; from now on every command takes the one that won. */
async function tuned({ values, note }: Bench): Promise<Outcome> {
  const { tuning, info } = await tune(note, { adapter: values.adapter });
  const path = await writeTuning(info, tuning);
  if (!values.json) console.log(tuningTable(tuning));
  note(`written: ${path}; every command takes ${tuning.matmul} unless --matmul names another`);
  return { ok: true, json: { path, ...tuning } };
}

/** GPU time per kernel of the first step among the cases: its gradient, then its update. */
async function profile(cases: readonly Case[], { values, note }: Bench): Promise<Outcome> {
  const task = cases.map((one) => one.task).find((one) => one.kind === "gpt step");
  if (!task) {
    throw new InputError("--profile: --only leaves no GPT training step, try --only step-small");
  }
  const { adapter, matmul } = values;
  const gpu = await openDevice({ adapter, matmul, profile: true }, note);
  const batch = gptBatch(task);
  const weights = initialWeights(task.config, INITIAL.seed, INITIAL.std);
  const program = benchProgram(gpu, weights, batch);
  program.step(0, [batch]);
  await program.metrics();
  const { gradient, update } = await program.profile();
  if (!values.json) console.log(`gradient\n${gradient}\n\nupdate\n${update}`);
  return { ok: true, json: { gradient: gradient.rows, update: update.rows } };
}

async function write(
  { out }: Values,
  note: Bench["note"],
  report: unknown,
  spec: ChartSpec,
): Promise<void> {
  if (out === undefined) return;
  const json = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;
  await writeFileAtomic(join(out, "results.json"), json(report));
  await writeFileAtomic(join(out, "chart.vl.json"), json(spec));
  await writeFileAtomic(join(out, "chart.svg"), await toSvg(spec));
  note(`written: ${join(out, "results.json")}, chart.vl.json and chart.svg`);
}

/** The command. */
export const benchCommand: Command<typeof OPTIONS> = defineCommand({
  name: "bench",
  summary: "Measures kernels and training steps on this adapter, and peers in the same rounds.",
  options: OPTIONS,
  notes: [
    "",
    "  deno task bench",
    "  deno task bench --peers --out bench",
    "  deno task bench --only matmul --rounds 9",
    "  deno task bench --peers --only step-small,step-medium",
    "  deno task bench --only stories --model stories260K.bin --tokenizer tok512.bin --llama2c ./run",
    "  deno task bench --scaling --out scaling",
    "  deno task bench --tune",
    "",
    "Nothing is quotable that was measured above a load average of 2, or with --quick.",
  ],
  run(invocation) {
    const load = loadAverage();
    const { values } = invocation;
    const cases = chosenCases(benchCases(caseOptions(values)), values.only);
    if (values.tune) return tuned(invocation);
    if (values.scaling) return scale(invocation, load);
    if (values.profile) return profile(cases, invocation);
    return race(cases, invocation, load);
  },
});

if (import.meta.main) await main(benchCommand);
