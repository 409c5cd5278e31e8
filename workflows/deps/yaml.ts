/**
 * YAML by the declared package `@std/yaml` where JSR can be reached, by `npm:yaml` elsewhere.
 *
 * The specifier is deliberately not a literal: Deno then resolves it when this line runs, so that a machine
 * without JSR falls back instead of failing to start.
 */
interface Yaml {
  parse(text: string): unknown;
  stringify(value: unknown): string;
}
const declared: string = "@std/yaml";
const loaded: Yaml = await import(declared).catch(() => import("yaml"));

/** Parses one YAML document. */
export const parse: Yaml["parse"] = (text) => loaded.parse(text);
/** Writes a value as YAML. */
export const stringify: Yaml["stringify"] = (value) => loaded.stringify(value);
/** Which package does the work, for `deno task doctor`. */
export const source: string = "parseDocument" in loaded ? "npm:yaml" : "jsr:@std/yaml";
