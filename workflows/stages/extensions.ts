/**
 * Metrics and environments of the user's own, from modules that a configuration names.
 *
 * A module needs to import nothing: it exports `metrics`, functions by name, and `environments`, `{ stage, draw }` by name.
 *
 *     export const metrics = {
 *       politeness: async (exam) => {
 *         const judged = await exam.cell({ kind: "insult", family: "thankful" });
 *         return { k: judged.filter(({ verdict }) => verdict.correct).length, n: judged.length };
 *       },
 *     };
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { InputError } from "../../kernels/errors.ts";
import { type Environment, registerEnvironment } from "./environments.ts";
import { type Metric, registerMetric } from "./maturity.ts";

/** What a module may export. */
export interface Extension {
  /** Metrics of maturity by name. */
  readonly metrics?: Readonly<Record<string, Metric>>;
  /** Environments by name. */
  readonly environments?: Readonly<Record<string, Pick<Environment, "stage" | "draw">>>;
}

const LOADED = new Set<string>();

/**
 * Loads modules by their paths and registers what they export; a module that was loaded before is left alone.
 * @throws {InputError} when a module cannot be loaded, exports nothing of the kind, or a name is taken.
 */
export async function loadExtensions(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const url = pathToFileURL(resolve(path)).href;
    if (LOADED.has(url)) continue;
    let module: Extension;
    try {
      module = await import(url);
    } catch (error) {
      throw new InputError(`extension ${path} cannot be loaded: ${(error as Error).message}`);
    }
    const { metrics, environments } = module;
    if (!metrics && !environments) {
      throw new InputError(
        `extension ${path}: expected exports called metrics or environments, found ${
          Object.keys(module).join(", ") || "none"
        }`,
      );
    }
    LOADED.add(url);
    for (const [name, metric] of Object.entries(metrics ?? {})) registerMetric(name, metric);
    for (const [name, { stage, draw }] of Object.entries(environments ?? {})) {
      registerEnvironment(name, stage, draw);
    }
  }
}
