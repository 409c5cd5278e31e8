/**
 * From a preset, a file and overrides to one checked configuration.
 *
 * Later layers win: preset, then the file, then `key=value` in the order written. What comes out is complete, so
 * the `config.yaml` of a run folder says everything and can be run again as it is.
 */
import { InputError } from "../../kernels/errors.ts";
import { stringify } from "../deps/yaml.ts";
import { canonical, canonicalOverride, type Notices } from "./aliases.ts";
import type { TrainConfig } from "./config.ts";
import { parseSettings, type Settings } from "./files.ts";
import { explainIssue, pathText } from "./mistakes.ts";
import { suggestion } from "../nearest.ts";
import { merge, parseOverride, setOverride } from "./overrides.ts";
import { DEFAULT_PRESET, PRESETS } from "./presets.ts";
import { checkTraining, type Issue } from "./schema.ts";

/** Where a configuration comes from. */
export interface ConfigSources {
  /** Name of a preset; default: the file's own `preset:`, or the nursery when there is no file either. */
  readonly preset?: string;
  /** A YAML file: its path, for messages, and its text. */
  readonly file?: { readonly path: string; readonly text: string };
  /** `key=value` words. */
  readonly overrides?: readonly string[];
}

/** A checked configuration and what the user should be told about it. */
export interface ResolvedConfig {
  /** The configuration, complete. */
  readonly config: TrainConfig;
  /** The preset it started from. */
  readonly preset: string | null;
  /** One line for each name that was read as another. */
  readonly notices: readonly string[];
}

/**
 * Lays the sources over each other, fills in defaults and checks everything.
 * @throws {InputError} one line naming file, line and key of the first mistake.
 */
export function resolveConfig(sources: ConfigSources = {}): ResolvedConfig {
  const { file } = sources;
  const notices: Notices = new Set();
  let settings: Settings = {};
  let preset = sources.preset ?? (file ? null : DEFAULT_PRESET);
  if (file) {
    const { preset: own, ...rest } = parseSettings(file.text, file.path);
    if (own !== undefined && typeof own !== "string") {
      throw new InputError(
        `${file.path}: preset must be the name of a preset, found ${JSON.stringify(own)}`,
      );
    }
    preset ??= own ?? null;
    settings = naming(file.path, () => canonical(rest, notices));
  }
  if (preset !== null) settings = merge(presetSettings(preset), settings);
  const overridden: string[] = [];
  for (const text of sources.overrides ?? []) {
    const [key, raw] = parseOverride(text);
    const { path, value } = canonicalOverride(key.split("."), raw, notices);
    settings = setOverride(settings, path, value);
    overridden.push(path.join("."));
  }
  const checked = checkTraining(settings);
  if ("config" in checked) return { config: checked.config, preset, notices: [...notices] };
  throw new InputError(describe(checked.issues, settings, sources, overridden));
}

function presetSettings(name: string): Settings {
  const text = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  if (text === undefined) {
    throw new InputError(`unknown preset "${name}"${suggestion(name, Object.keys(PRESETS))}`);
  }
  return parseSettings(text, `preset ${name}`);
}

function naming<T>(source: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${source}: ${error.message}`) : error;
  }
}

/** The first issue in full and how many more there are. */
function describe(
  issues: readonly Issue[],
  settings: Settings,
  sources: ConfigSources,
  overridden: readonly string[],
): string {
  const [first] = issues;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  return `${origin(first, settings, sources, overridden)}${
    explainIssue(first, settings, Object.keys(PRESETS))
  }${more}`;
}

/** `run.yaml:12: `, when the mistake stands in the file rather than in an override. */
function origin(
  issue: Issue,
  settings: Settings,
  { file }: ConfigSources,
  overridden: readonly string[],
): string {
  if (!file) return "";
  const path = [...issue.path, ...issue.keys?.slice(0, 1) ?? []];
  const named = pathText(settings, path).split(".");
  const byOverride = overridden.some((key) =>
    key.split(".").every((part, i) =>
      part === "all" || part === named[i] || part === String(path[i])
    )
  );
  if (byOverride) return "";
  const line = lineOf(file.text, String(path.at(-1)));
  return line === null ? `${file.path}: ` : `${file.path}:${line}: `;
}

/** The line (from 1) of the only place where a key stands in YAML text; null when there are none or several. */
function lineOf(text: string, key: string): number | null {
  const pattern = new RegExp(`(^|[\\s{,-])["']?${RegExp.escape(key)}["']?\\s*:`);
  const lines = text.split("\n").flatMap((line, i) => pattern.test(line) ? [i + 1] : []);
  return lines.length === 1 ? lines[0] : null;
}

/** The configuration as YAML, for the run folder; reading it back gives the same configuration. */
export function configYaml(config: TrainConfig): string {
  return stringify(config);
}
