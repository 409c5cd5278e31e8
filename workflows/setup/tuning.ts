/**
 * Which schedule of matrix products is fastest on an adapter, measured in seconds on what training does most: linear layers forward
 * and backward, at the sizes of the policies that the adapter's class is used for.
 *
 * Candidates take turns, so that what else the machine does hits them alike, and compile before the clock starts. On a software adapter
 * the clock is the processor's: the GPU is this process, and others may be using the machine.
 */
import process from "node:process";
import declared from "../../deno.json" with { type: "json" };
import {
  type AdapterInfo,
  defaultMatmul,
  type Gpu,
  type MatmulSchedule,
  openGpu,
} from "../../kernels/gpu/device.ts";
import { settle } from "../../kernels/gpu/readback.ts";
import { Tape } from "../../kernels/gpu/tape.ts";
import { persistent, type Tensor, upload } from "../../kernels/gpu/tensor.ts";
import { warm } from "../../kernels/gpu/warm.ts";
import { linear } from "../../kernels/matmul/linear.ts";
import { adapterKey, type Tuning } from "./tuning_file.ts";

/** A linear layer: [rows, inner] to [rows, out]. */
interface Layer {
  readonly rows: number;
  readonly inner: number;
  readonly out: number;
}

const layer = (rows: number, inner: number, out: number): Layer => ({ rows, inner, out });

/**
 * Candidates and layers by class. On llvmpipe tiled schedules take several times as long as either candidate (`matmul/schedules.ts`);
 * textures gain GPUs nothing that their caches do not give them.
 */
const CLASSES: Readonly<
  Record<"software" | "gpu", { candidates: readonly MatmulSchedule[]; layers: readonly Layer[] }>
> = {
  software: {
    candidates: ["textures", "registers"],
    // The nursery's MLP, that of the 0.9M policy, attention's output and the MLP of the 14M policy.
    layers: [
      layer(512, 96, 384),
      layer(1024, 128, 512),
      layer(1024, 384, 384),
      layer(1024, 384, 1536),
    ],
  },
  gpu: {
    candidates: ["tiled", "tiled8", "registers"],
    // The 14M policy's MLP, then GPT-2 small's attention output, MLP and (a part of) its vocabulary.
    layers: [
      layer(1024, 384, 1536),
      layer(4096, 768, 768),
      layer(4096, 768, 3072),
      layer(2048, 768, 16_384),
    ],
  },
};

/** Rounds in which each candidate has its turn. */
const ROUNDS = 5;
/** A turn lasts this long: the wait at its end takes 10 ms. */
const TURN_MS = 80;
/** What is this much faster than the default replaces it; less is noise, and would change the last bits of results for nothing. */
const MARGIN = 0.95;

/** How long and over what to measure; tests take less. */
export interface TuneOptions {
  /** Part of the adapter's name. */
  readonly adapter?: string;
  /** Layers to measure; those of the adapter's class where absent. */
  readonly layers?: readonly {
    readonly rows: number;
    readonly inner: number;
    readonly out: number;
  }[];
  /** Rounds and their length, milliseconds. */
  readonly effort?: { readonly rounds: number; readonly turnMs: number };
}

/**
 * Measures the candidates on an adapter.
 * @param note Told what is being measured.
 * @throws {InputError} when there is no such adapter.
 */
export async function tune(
  note: (line: string) => void,
  options: TuneOptions = {},
): Promise<{ readonly tuning: Tuning; readonly info: AdapterInfo }> {
  const { adapter, effort = { rounds: ROUNDS, turnMs: TURN_MS } } = options;
  const first = await openGpu({ adapter });
  const { info } = first;
  first.close();
  const { candidates, layers: usual } = CLASSES[info.software ? "software" : "gpu"];
  const layers = options.layers ?? usual;
  const gpus: Gpu[] = [];
  for (const matmul of candidates) gpus.push(await openGpu({ adapter, matmul }));
  const times: number[][] = candidates.map(() => []);
  for (const one of layers) {
    note(`linear layer ${nameOf(one)}`);
    const clock = info.software ? processorMs : () => performance.now();
    const medians = await race(gpus, one, effort, clock);
    medians.forEach((ms, i) => times[i].push(ms));
  }
  for (const gpu of gpus) gpu.close();
  const measured = candidates.map((matmul, i) => ({ matmul, ms: times[i] }));
  const tuning: Tuning = {
    version: 1,
    adapter: adapterKey(info),
    date: new Date().toISOString(),
    toolkit: declared.version,
    deno: Deno.version.deno,
    clock: info.software ? "processor" : "wall",
    matmul: fastest(measured, defaultMatmul(info)),
    shapes: layers.map(nameOf),
    candidates: measured,
  };
  return { tuning, info };
}

const nameOf = ({ rows, inner, out }: Layer) => `${rows} x ${inner} -> ${out}`;

/** The candidate with the smallest geometric mean of times; the default unless another is clearly faster. */
export function fastest(
  candidates: Tuning["candidates"],
  byDefault: MatmulSchedule,
): MatmulSchedule {
  const means = new Map(candidates.map(({ matmul, ms }) => [matmul, geometricMean(ms)]));
  const limit = MARGIN * (means.get(byDefault) ?? Infinity);
  const faster = [...means].filter(([, mean]) => mean < limit).sort(([, a], [, b]) => a - b);
  return faster[0]?.[0] ?? byDefault;
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Median milliseconds of one replay, for each device. */
async function race(
  gpus: readonly Gpu[],
  one: Layer,
  { rounds, turnMs }: { readonly rounds: number; readonly turnMs: number },
  clock: () => number,
): Promise<number[]> {
  const racers = [];
  for (const gpu of gpus) racers.push(await ready(gpu, one, turnMs));
  const times: number[][] = gpus.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < gpus.length; turn++) {
      const i = (turn + round) % gpus.length;
      const { tape, count } = racers[i];
      const start = clock();
      for (let n = 0; n < count; n++) tape.run();
      await settle(gpus[i]);
      times[i].push((clock() - start) / count);
    }
  }
  for (const { tape, held } of racers) {
    tape.destroy();
    for (const tensor of held) tensor.place.buffer!.destroy();
  }
  return times.map((ms) => ms.sort((a, b) => a - b)[ms.length >> 1]);
}

interface Racer {
  readonly tape: Tape;
  /** Replays of one turn. */
  readonly count: number;
  readonly held: readonly Tensor[];
}

/** The layer forward and backward on a tape, compiled and run. */
async function ready(gpu: Gpu, { rows, inner, out }: Layer, turnMs: number): Promise<Racer> {
  const filled = (name: string, shape: readonly number[]) => {
    const tensor = persistent(gpu, name, shape);
    const length = shape.reduce((a, b) => a * b, 1);
    upload(gpu, tensor, Float32Array.from({ length }, (_, i) => Math.sin(i)));
    return tensor;
  };
  const [x, d_y] = [filled("x", [rows, inner]), filled("d_y", [rows, out])];
  const [weight, bias] = [filled("weight", [out, inner]), filled("bias", [out])];
  const [d_weight, d_bias] = [filled("d_weight", [out, inner]), filled("d_bias", [out])];
  x.needsGrad = weight.needsGrad = bias.needsGrad = true;
  [weight.grad, bias.grad] = [d_weight, d_bias];
  const tape = new Tape(gpu, "tuning");
  const y = linear(tape, x, weight, { bias });
  y.grad = d_y;
  tape.backward();
  await warm([tape]);
  tape.run();
  await settle(gpu);
  const start = performance.now();
  tape.run();
  await settle(gpu);
  const count = Math.max(1, Math.round(turnMs / (performance.now() - start)));
  return { tape, count, held: [x, d_y, weight, bias, d_weight, d_bias] };
}

/** The measurements for people. */
export function tuningTable(tuning: Tuning): string {
  const { adapter, shapes, candidates, matmul, clock, date } = tuning;
  const best = Math.min(...candidates.map(({ ms }) => geometricMean(ms)));
  const rows = [
    ["", ...shapes, "mean"],
    ...candidates.map(({ matmul: name, ms }) => [
      name === matmul ? `${name} *` : name,
      ...ms.map((value) => value.toPrecision(3)),
      `${(geometricMean(ms) / best).toFixed(2)} x`,
    ]),
  ];
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return [
    `${adapter.description || adapter.vendor}, ${
      date.slice(0, 10)
    }: a linear layer forward and backward,`,
    `milliseconds of ${clock === "wall" ? "the wall clock" : "processor time"} (* chosen)`,
    "",
    ...rows.map((row) =>
      row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("   ")
    ),
  ].join("\n");
}
