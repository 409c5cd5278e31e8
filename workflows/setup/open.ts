/**
 * Opens a device for a command, with the schedule of matrix products that suits it: the one asked for, else the one that was measured
 * on this adapter (`deno task bench --tune`), else the default of the adapter's class.
 */
import {
  type AdapterInfo,
  defaultMatmul,
  type Gpu,
  type MatmulSchedule,
  matmulSchedule,
  openGpu,
} from "../../kernels/gpu/device.ts";
import { readTuning } from "./tuning_file.ts";

/** A schedule, and who chose it. */
export interface MatmulChoice {
  /** The schedule. */
  readonly schedule: MatmulSchedule;
  /** For people. */
  readonly why: string;
  /** Nobody chose: it is that of the adapter's class. */
  readonly byDefault: boolean;
}

/** Tells people why a stored choice was left aside, or that one is used. */
export type Say = (line: string) => void;

/**
 * The schedule for an adapter.
 * @param asked What the user wants, if anything.
 * @param folder Where choices are kept, for tests.
 * @throws {InputError} when no schedule is called so.
 */
export function chooseMatmul(
  info: AdapterInfo,
  asked: string | null | undefined,
  say: Say,
  folder?: string,
): MatmulChoice {
  if (asked) {
    return { schedule: matmulSchedule(asked, "--matmul"), why: "asked for", byDefault: false };
  }
  const tuning = readTuning(info, say, folder);
  if (tuning) {
    const why = `the fastest measured here on ${tuning.date.slice(0, 10)}`;
    return { schedule: tuning.matmul, why, byDefault: false };
  }
  const kind = info.software ? "software adapters" : "GPUs";
  const why = `the default of ${kind}; deno task bench --tune measures`;
  return { schedule: defaultMatmul(info), why, byDefault: true };
}

/** What to open. */
export interface OpenOptions {
  /** Part of the adapter's name. */
  readonly adapter?: string | null;
  /** A schedule of matrix products by name. */
  readonly matmul?: string | null;
  /** Take the schedule for every product, to verify it. */
  readonly matmulEverywhere?: boolean;
  /** Ask for timestamp queries. */
  readonly profile?: boolean;
}

/**
 * Opens a device. `say` is told of a schedule that is not the default: other schedules round otherwise, so results may differ in
 * their last bits from those of the default.
 * @throws {InputError} when there is no such adapter or schedule.
 */
export async function openDevice(
  { adapter, matmul, matmulEverywhere, profile }: OpenOptions,
  say: Say,
  folder?: string,
): Promise<Gpu> {
  if (matmul) matmulSchedule(matmul, "--matmul"); // before a device is looked for
  return await openGpu({
    adapter: adapter ?? undefined,
    profile,
    matmulEverywhere,
    matmul: (info) => {
      const { schedule, why, byDefault } = chooseMatmul(info, matmul, say, folder);
      if (!byDefault) say(`matrix products: ${schedule}, ${why}`);
      return schedule;
    },
  });
}
