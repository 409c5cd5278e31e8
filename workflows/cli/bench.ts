/**
 * `deno task bench`: roofs, matrix products, training steps and generation, with peers side by side where asked for.
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { type Gpu, openGpu } from "../../kernels/gpu/device.ts";
import { initialWeights } from "../../kernels/policy/init.ts";
import { bench, type BenchReport } from "../bench/bench.ts";
import { benchCases, type Case } from "../bench/cases.ts";
import { chartSpec } from "../bench/chart.ts";
import { toSvg } from "../report/chart.ts";
import type { Contestant } from "../bench/contestant.ts";
import { INITIAL } from "../bench/contest.ts";
import { loadAverage } from "../bench/machine.ts";
import { peerNames, startPeer } from "../bench/peers/start.ts";
import { table } from "../bench/report.ts";
import { benchProgram, gptBatch } from "../bench/toolkit.ts";
import { writeFileAtomic } from "../files.ts";
import { type Command, defineCommand, main } from "./command.ts";

const OPTIONS = {
  peers: {
    type: "string",
    value: "[LIST]",
    bare: "all",
    help: "also jax-js and tfjs, or those named: --peers jax-js,tfjs (fetched from npm)",
  },
  only: { type: "string", value: "TEXT", help: "only cases whose id contains TEXT" },
  rounds: { type: "integer", value: "N", min: 1, help: "interleaved rounds (default 5)" },
  quick: { type: "boolean", help: "small sizes and two rounds, for CI" },
  profile: { type: "boolean", help: "print the time of each kernel of a training step instead" },
  force: { type: "boolean", help: "call numbers quotable that were measured on a busy machine" },
} as const;

/** Cases whose id contains `only`, and the wait, which is taken off the others. */
function chosenCases(all: readonly Case[], only: string | undefined): Case[] {
  const chosen = all.filter(({ id }) => id === "wait" || id.includes(only ?? ""));
  if (chosen.length === 1 && !"wait".includes(only!)) {
    const ids = all.map(({ id }) => id).join(", ");
    throw new InputError(`--only: no case has "${only}" in its id: choose from ${ids}`);
  }
  return chosen;
}

/** GPU time per kernel of one forward and backward pass of the bench's GPT-2. */
async function profile(gpu: Gpu, cases: readonly Case[]): Promise<string> {
  const task = cases.map((one) => one.task).find((one) => one.kind === "gpt step")!;
  const batch = gptBatch(task);
  const program = benchProgram(gpu, initialWeights(task.config, INITIAL.seed, INITIAL.std), batch);
  program.step(0, [batch]);
  await program.metrics();
  return await program.profile();
}

async function write(folder: string, report: BenchReport): Promise<void> {
  const spec = chartSpec(report);
  const json = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;
  await writeFileAtomic(join(folder, "results.json"), json(report));
  await writeFileAtomic(join(folder, "chart.vl.json"), json(spec));
  await writeFileAtomic(join(folder, "chart.svg"), await toSvg(spec));
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
    "",
    "Nothing is quotable that was measured above a load average of 2, or with --quick.",
  ],
  async run({ values, note }) {
    const { quick = false, force = false } = values;
    const load = loadAverage();
    const all = benchCases(quick);
    const cases = chosenCases(all, values.only);
    const names = values.peers === undefined ? [] : peerNames(values.peers);
    // A first step is only cold when no compiled shader of an earlier run lies on the disk. Mesa reads this as it starts.
    if (!quick && !values.profile) Deno.env.set("MESA_SHADER_CACHE_DISABLE", "true");
    const gpu = await openGpu({ adapter: values.adapter, profile: values.profile });
    if (values.profile) {
      const text = await profile(gpu, all);
      if (!values.json) console.log(text);
      return { ok: true, json: { profile: text } };
    }
    const peers: Contestant[] = [];
    for (const name of names) {
      note(`loading ${name}`);
      peers.push(await startPeer(name));
    }
    const rounds = values.rounds ?? (quick ? 2 : 5);
    const race = { rounds, targetMs: quick ? 50 : 1000 };
    const report = await bench({ gpu, cases, peers, race, quick, force, note }, load);
    for (const peer of peers) await peer.end();
    if (!values.json) console.log(table(report));
    if (values.out !== undefined) {
      await write(values.out, report);
      note(`written: ${join(values.out, "results.json")}, chart.vl.json and chart.svg`);
    }
    // What a peer computes is its own affair; the toolkit's own kernels must be right.
    const own = report.libraries[0].name;
    const ok = report.cases.every(({ lines }) =>
      lines.every(({ name, problem }) => problem === null || !name.startsWith(own))
    );
    return { ok, json: { ...report } };
  },
});

if (import.meta.main) await main(benchCommand);
