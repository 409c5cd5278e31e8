/**
 * The profile table: GPU time per kernel from timestamp queries.
 *
 * WebGPU gives timestamps per pass, so profiling puts every kernel in a pass of its own; that costs about 0.1 ms a kernel
 * and is never used for normal steps. One query set serves a whole replay (destroying query sets frees nothing in wgpu).
 */
import { InputError } from "../errors.ts";
import type { Gpu } from "./device.ts";
import type { Dispatch } from "./dispatch.ts";
import { download } from "./readback.ts";

/** Time of one kernel over a replay. */
export interface ProfileRow {
  /** The kernel's name. */
  readonly kernel: string;
  /** Launches. */
  readonly calls: number;
  /** Time of all launches, in milliseconds. */
  readonly ms: number;
  /** Share of the replay's GPU time, 0 to 1. */
  readonly share: number;
  /** GFLOP/s, where the kernel states its operations. */
  readonly gflops: number | null;
  /** GB/s of the bytes bound: each binding counted once, so an estimate from above of what must move. */
  readonly gbps: number;
}

/** Timestamps of one replay. */
export class Clock {
  readonly #gpu: Gpu;
  readonly #queries: GPUQuerySet;
  readonly #count: number;
  #rows: ProfileRow[] = [];

  /** Room for `kernels` pairs of timestamps. */
  constructor(gpu: Gpu, kernels: number) {
    if (!gpu.hasTimestamps) {
      throw new InputError("profiling needs an adapter with timestamp-query; this one has none");
    }
    if (kernels > 2048) {
      throw new InputError(`profiling holds 2048 kernels per replay, this one has ${kernels}`);
    }
    this.#gpu = gpu;
    this.#count = kernels;
    this.#queries = gpu.device.createQuerySet({
      type: "timestamp",
      count: 2 * Math.max(1, kernels),
    });
  }

  /** Timestamp writes for the i-th kernel's pass. */
  writes(i: number): GPUComputePassTimestampWrites {
    return {
      querySet: this.#queries,
      beginningOfPassWriteIndex: 2 * i,
      endOfPassWriteIndex: 2 * i + 1,
    };
  }

  /**
   * Submits the encoder, waits, and sums times by kernel; `dispatches` in the order of {@linkcode Clock.writes}.
   * @throws {DeviceError} when the device reported an error: times of a broken replay mean nothing.
   */
  async finish(encoder: GPUCommandEncoder, dispatches: readonly Dispatch[]): Promise<void> {
    const bytes = 16 * Math.max(1, this.#count);
    const resolved = this.#gpu.createBuffer(
      "timestamps",
      bytes,
      GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    );
    encoder.resolveQuerySet(this.#queries, 0, 2 * Math.max(1, this.#count), resolved, 0);
    try {
      const data = await download(
        this.#gpu,
        encoder,
        "timestamps read",
        bytes,
        (staging) => encoder.copyBufferToBuffer(resolved, 0, staging, 0, bytes),
      );
      this.#rows = summarise(dispatches, new BigUint64Array(data));
    } finally {
      resolved.destroy();
    }
  }

  /** Kernels by time, longest first. */
  get rows(): readonly ProfileRow[] {
    return this.#rows;
  }

  /** The table as text. */
  toString(): string {
    const total = this.#rows.reduce((sum, row) => sum + row.ms, 0);
    const cell = (value: string | number, width: number) => String(value).padStart(width);
    const lines = this.#rows.map((row) =>
      row.kernel.padEnd(34) + cell(row.calls, 6) + cell(row.ms.toFixed(2), 10) +
      cell((100 * row.share).toFixed(1) + "%", 8) + cell(row.gflops?.toFixed(1) ?? "", 9) +
      cell(row.gbps.toFixed(2), 8)
    );
    const head = "kernel".padEnd(34) + cell("calls", 6) + cell("ms", 10) + cell("share", 8) +
      cell("GFLOP/s", 9) + cell("GB/s", 8);
    return [head, ...lines, `total ${total.toFixed(2)} ms of GPU time`].join("\n");
  }
}

function summarise(dispatches: readonly Dispatch[], times: BigUint64Array): ProfileRow[] {
  const sums = new Map<string, { calls: number; ns: number; flops: number; bytes: number }>();
  dispatches.forEach((dispatch, i) => {
    const { kernel, bindings, flops = 0 } = dispatch;
    const sum = sums.get(kernel.name) ?? { calls: 0, ns: 0, flops: 0, bytes: 0 };
    sum.calls++;
    sum.ns += Number(times[2 * i + 1] - times[2 * i]);
    sum.flops += flops;
    sum.bytes += kernel.bindings.reduce((all, { name }) => all + bindings[name].bytes, 0);
    sums.set(kernel.name, sum);
  });
  const total = [...sums.values()].reduce((all, { ns }) => all + ns, 0) || 1;
  return [...sums].map(([kernel, { calls, ns, flops, bytes }]) => ({
    kernel,
    calls,
    ms: ns / 1e6,
    share: ns / total,
    gflops: flops ? flops / ns : null,
    gbps: ns ? bytes / ns : 0,
  })).sort((a, b) => b.ms - a.ms);
}
