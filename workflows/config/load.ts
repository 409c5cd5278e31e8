/**
 * Configurations for programs and notebooks. The YAML reader is fetched when it is first needed, so that importing the
 * toolkit loads nothing from anywhere.
 */
import type { ConfigSources, ResolvedConfig } from "./resolve.ts";

/**
 * A complete, checked training configuration from a preset, a YAML file and `key=value` overrides; the nursery without
 * arguments.
 *
 * @example A short run
 * ```ts
 * import { loadConfig } from "@infant/toolkit";
 *
 * const { config } = await loadConfig({ overrides: ["seed=3", "stages.pretrain.steps=200"] });
 * console.log(config.seed, config.stages[0].steps); // 3 200
 * ```
 * @throws {InputError} one line naming file, line and key of the first mistake.
 */
export async function loadConfig(sources: ConfigSources = {}): Promise<ResolvedConfig> {
  const { resolveConfig } = await import("./resolve.ts");
  return resolveConfig(sources);
}
