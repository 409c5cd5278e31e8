/**
 * What `deno task bench --tune` found out about an adapter, kept in the user's cache folder: one file for each adapter.
 *
 * A file decides nothing but which of several right ways is taken, so one that is damaged, or of another adapter or toolkit, is left
 * aside with one line, and the default holds.
 */
import { join } from "node:path";
import { z } from "zod";
import { oneLine } from "../../kernels/errors.ts";
import { type AdapterInfo, MATMUL_SCHEDULES } from "../../kernels/gpu/device.ts";
import { writeFileAtomic } from "../files.ts";
import { cacheFolder } from "./system.ts";

/** How an adapter is known again. WebGPU does not tell the driver's version, but as far as the description does (llvmpipe's LLVM). */
const adapterSchema = z.strictObject({
  vendor: z.string(),
  architecture: z.string(),
  description: z.string(),
});

const tuningSchema = z.strictObject({
  /** Of this file's format. */
  version: z.literal(1),
  adapter: adapterSchema,
  /** When it was measured, ISO 8601. */
  date: z.iso.datetime(),
  /** Version of the toolkit whose kernels were measured. */
  toolkit: z.string(),
  /** Version of Deno, and so of the shader compiler. */
  deno: z.string(),
  /** What the times are: the wall clock's, or the processor's where the adapter is one. */
  clock: z.enum(["wall", "processor"]),
  /** The schedule that won. */
  matmul: z.enum(MATMUL_SCHEDULES),
  /** The linear layers measured, as rows x in -> out. */
  shapes: z.array(z.string()).min(1),
  /** Every candidate's median milliseconds, shape by shape. */
  candidates: z.array(z.strictObject({
    matmul: z.enum(MATMUL_SCHEDULES),
    ms: z.array(z.number().positive()),
  })).min(1),
});

/** One adapter's measurements. */
export type Tuning = z.infer<typeof tuningSchema>;

/** The names that an adapter is known by. */
export function adapterKey({ vendor, architecture, description }: AdapterInfo): Tuning["adapter"] {
  return { vendor, architecture, description };
}

/** Where an adapter's file lies. `folder` is for tests. */
export function tuningPath(info: AdapterInfo, folder: string = cacheFolder()): string {
  const words = Object.values(adapterKey(info)).join(" ").toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return join(folder, "tuning", `${words.join("-") || "unknown"}.json`);
}

/**
 * The adapter's measurements; null where there are none that can be used.
 * @param say Told why a file that is there is left aside.
 */
export function readTuning(
  info: AdapterInfo,
  say: (line: string) => void,
  folder?: string,
): Tuning | null {
  let path = "";
  try {
    path = tuningPath(info, folder);
    const found = tuningSchema.parse(JSON.parse(Deno.readTextFileSync(path)));
    const key = adapterKey(info);
    if (JSON.stringify(found.adapter) === JSON.stringify(adapterSchema.parse(key))) return found;
    say(`${path} is left aside: it is of another adapter, ${found.adapter.description}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    const reason = error instanceof z.ZodError
      ? `${error.issues[0].path.join(".")}: ${error.issues[0].message}`
      : oneLine(error);
    say(`${path || "the tuning"} is left aside: ${reason}; deno task bench --tune writes it anew`);
  }
  return null;
}

/**
 * Keeps an adapter's measurements.
 * @returns The path of the file.
 * @throws {InputError} when the operating system refuses.
 */
export async function writeTuning(
  info: AdapterInfo,
  tuning: Tuning,
  folder?: string,
): Promise<string> {
  const path = tuningPath(info, folder);
  await writeFileAtomic(path, `${JSON.stringify(tuning, null, 1)}\n`);
  return path;
}
