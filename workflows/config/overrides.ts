/**
 * Layers of settings: a preset, a file laid over it, and `key=value` overrides on top.
 *
 * A path's parts are joined by dots. A list's elements are reached by number, by their `name`, or all at once with
 * `all`: `stages.0.steps=10`, `stages.imprint.learning_rate=3e-4`, `stages.all.batch_size=4`.
 */
import { InputError } from "../../kernels/errors.ts";
import { parse } from "../deps/yaml.ts";
import { isMapping, kindOf, type Settings } from "./files.ts";
import { suggestion } from "../nearest.ts";

/**
 * Settings that stand for the same thing: one laid over a layer that has another takes its place, so that
 * `stages.all.steps=10` works on a preset that counts tokens.
 */
const INSTEAD_OF: Readonly<Record<string, readonly string[]>> = {
  steps: ["tokens", "epochs"],
  tokens: ["steps", "epochs"],
  epochs: ["steps", "tokens"],
  warmup_steps: ["warmup_ratio"],
  warmup_ratio: ["warmup_steps"],
  path: ["hub", "revision", "subset", "split"],
  hub: ["path"],
};

/** Keys of a new policy's architecture that `model.from` does not take the place of. */
const KEPT_WITH_FROM = ["tokenizer"];

/**
 * Splits `key=value` and reads the value as YAML, so that `1e-3` is a number and `null` is null.
 * @throws {InputError} when there is no `=`, no key, or the value is not YAML.
 */
export function parseOverride(text: string): readonly [key: string, value: unknown] {
  const [, key, raw] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (!key || key.split(".").includes("")) {
    throw new InputError(
      `"${text}" must be written key=value, with dots between the parts of the key`,
    );
  }
  try {
    return [key, parse(raw) ?? null];
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new InputError(`the value of ${key}=... is not valid YAML: ${reason.replace(/:$/, "")}`);
  }
}

/** `over` laid over `base`: mappings are merged, everything else, lists too, is replaced. */
export function merge(base: Settings, over: Settings): Settings {
  let result = base;
  for (const [key, value] of Object.entries(over)) {
    const old = Object.hasOwn(result, key) ? result[key] : undefined;
    result = withEntry(result, key, isMapping(value) && isMapping(old) ? merge(old, value) : value);
  }
  return result;
}

/** A copy of `mapping` with one entry set and those that it stands instead of removed. */
function withEntry(mapping: Settings, key: string, value: unknown): Settings {
  const kept = Object.entries(mapping).filter(([other]) =>
    key === "from"
      ? KEPT_WITH_FROM.includes(other) || other === key
      : !INSTEAD_OF[key]?.includes(other)
  );
  return { ...Object.fromEntries(kept), [key]: value };
}

/**
 * A copy of `settings` with the entry at `path` set; missing mappings on the way are made.
 * @throws {InputError} when the path runs through a value, or names no element of a list.
 */
export function setOverride(settings: Settings, path: readonly string[], value: unknown): Settings {
  return setPath(settings, path, value, path.join(".")) as Settings;
}

function setPath(node: unknown, path: readonly string[], value: unknown, whole: string): unknown {
  if (path.length === 0) return value;
  const [head, ...rest] = path;
  if (Array.isArray(node)) {
    const chosen = elements(node, head, whole);
    return node.map((item, i) => chosen.includes(i) ? setPath(item, rest, value, whole) : item);
  }
  if (node !== null && node !== undefined && !isMapping(node)) {
    throw new InputError(`${whole} cannot be set: "${head}" would lie inside ${kindOf(node)}`);
  }
  const mapping = node ?? {};
  const old = Object.hasOwn(mapping, head) ? mapping[head] : undefined;
  return withEntry(mapping, head, setPath(old, rest, value, whole));
}

/** Indices of the list elements that one part of a path means. */
function elements(list: readonly unknown[], head: string, whole: string): number[] {
  const names = list.map((item) => isMapping(item) ? item.name : undefined);
  const named = names.indexOf(head);
  if (named >= 0) return [named];
  if (head === "all") return list.map((_, i) => i);
  if (/^\d+$/.test(head) && Number(head) < list.length) return [Number(head)];
  const valid = [...names.filter((name) => typeof name === "string"), "all"];
  throw new InputError(
    `${whole} cannot be set: none of the ${list.length} is called "${head}"${
      suggestion(head, valid)
    }`,
  );
}
