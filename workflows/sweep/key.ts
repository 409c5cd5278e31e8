/**
 * Keys of points: SHA-256 over everything that decides a result and nothing that does not.
 *
 * Configuration, the bytes of data and models that it names, the seed, and the sources that compute; not the run folder, and not
 * the adapter either: the same point on another GPU is the same question, and its result says where it was answered. Data on a hub
 * is known by its revision only.
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../../kernels/errors.ts";
import declared from "../../deno.json" with { type: "json" };
import type { TrainConfig } from "../config/config.ts";
import { fileProblem } from "../files.ts";
import { hashModel, sha256File } from "../safety/certificate/hashes.ts";
import type { Point } from "./point.ts";

/** Rooms of `workflows/` that show, start or compare results and compute none of a point's. */
const BYSTANDERS = new Set(["bench", "cli", "logging", "pareto", "report", "setup", "verify"]);
/** Files of this room that compute a point's result. */
const OWN = /^(measure|run_point)\.ts$/;

/** SHA-256 (hex) of a value's canonical JSON: keys sorted, so that their order does not matter. */
export function hashJson(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(sorted(value))).digest("hex");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => a < b ? -1 : 1).map(([key, entry]) => [key, sorted(entry)]),
  );
}

/** Hashes of files and of the code are found once and remembered. */
export class Keys {
  readonly #files = new Map<string, Promise<unknown>>();
  #code: Promise<string> | null = null;

  /** The code that computes: version, and SHA-256 over its sources where they are files. */
  get code(): Promise<string> {
    return this.#code ??= codeHash();
  }

  /** Key of stages that are shared. */
  async ofShared(config: TrainConfig): Promise<string> {
    return hashJson({
      code: await this.code,
      config: placeless(config),
      data: await this.#data(config),
    });
  }

  /** Key of a point; its own `key` is not looked at. */
  async ofPoint({ work, values, seed }: Omit<Point, "key">): Promise<string> {
    if (work.kind === "module") {
      // The function is the module's own; what that imports is not followed.
      const module = await this.#hash(work.path);
      return hashJson({ version: declared.version, module, values, seed });
    }
    const code = await this.code;
    const { config, shared, exam, capability } = work;
    const data = await this.#data(config);
    const begun = shared && shared.key;
    // Values stand in the configuration: two ways to say the same are one point.
    return hashJson({ code, config: placeless(config), begun, data, exam, capability, seed });
  }

  /** Hashes of the files that a configuration names. */
  async #data({ model, stages, world_model, extensions }: TrainConfig): Promise<unknown[]> {
    const sources = [...stages.map(({ data }) => data), world_model?.data ?? "nursery"];
    const files = sources.flatMap((data) =>
      data !== "nursery" && "path" in data ? [data.path] : []
    );
    const models = ["from" in model ? model.from : null, model.tokenizer]
      .filter((path) => path !== null && !path.startsWith("hub:")) as string[];
    return await Promise.all([...models, ...files, ...extensions].map((path) => this.#hash(path)));
  }

  #hash(path: string): Promise<unknown> {
    const known = this.#files.get(path) ?? hashPath(path);
    this.#files.set(path, known);
    return known;
  }
}

/** A configuration without what decides nothing. */
function placeless(config: TrainConfig): TrainConfig {
  return { ...config, out: null, adapter: null, matmul: null };
}

/** SHA-256 by file name, of a model or of data. */
async function hashPath(path: string): Promise<unknown> {
  const info = await Deno.stat(path).catch((error) => {
    throw fileProblem(error, path) ?? error;
  });
  if (!info.isDirectory) return await sha256File(path);
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(path)) if (isFile) names.push(name);
  if (names.includes("config.json")) return (await hashModel(path)).files;
  if (names.length === 0) throw new InputError(`${path}: there are no files in this folder`);
  return await Promise.all(
    names.sort().map(async (name) => [
      name,
      await sha256File(join(path, name)),
    ]),
  );
}

async function codeHash(): Promise<string> {
  const manifest = new URL("../../deno.json", import.meta.url);
  if (manifest.protocol !== "file:") return declared.version;
  const root = dirname(fileURLToPath(manifest));
  const paths: string[] = [];
  await collect(root, "kernels", paths);
  await collect(root, "workflows", paths);
  const hash = createHash("sha256");
  for (const path of paths.sort()) hash.update(`${path} ${await sha256File(join(root, path))}\n`);
  return `${declared.version} ${hash.digest("hex")}`;
}

async function collect(root: string, folder: string, paths: string[]): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(join(root, folder))) {
    const path = `${folder}/${name}`;
    const computes = folder === "workflows/sweep"
      ? OWN.test(name)
      : folder !== "workflows" || !BYSTANDERS.has(name);
    if (!computes) continue;
    if (isDirectory) await collect(root, path, paths);
    else if (/\.(ts|wgsl|ya?ml)$/.test(name)) paths.push(path);
  }
}
