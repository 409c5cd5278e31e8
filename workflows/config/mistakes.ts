/**
 * What is wrong with a configuration, in one line: where, what was expected, what was found, what was probably meant.
 */
import { isMapping, kindOf } from "./files.ts";
import { nearest, suggestion } from "../nearest.ts";
import { type Issue, trainJsonSchema } from "./schema.ts";

/** The part of a JSON Schema that is needed to list the keys valid at a path. */
interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
  readonly const?: unknown;
}

/** All schema nodes that a path may lead to, one for each alternative on the way. */
function nodesAt(node: Node, path: readonly PropertyKey[]): Node[] {
  const alternatives = [...node.anyOf ?? [], ...node.oneOf ?? []];
  const below = alternatives.flatMap((one) => nodesAt(one, path));
  if (path.length === 0) return [node, ...below];
  const next = typeof path[0] === "number" ? node.items : node.properties?.[String(path[0])];
  return next ? [...nodesAt(next, path.slice(1)), ...below] : below;
}

/** Names that are valid keys at a path, in a mapping of the given `kind`. */
function keysAt(
  path: readonly PropertyKey[],
  presets: readonly string[],
  kind?: unknown,
): string[] {
  const nodes = nodesAt(trainJsonSchema(presets) as Node, path).filter((node) =>
    kind === undefined || (node.properties?.kind?.const ?? kind) === kind
  );
  return [...new Set(nodes.flatMap((node) => Object.keys(node.properties ?? {})))];
}

function valueAt(settings: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (node, key) => typeof node === "object" && node !== null ? Reflect.get(node, key) : undefined,
    settings,
  );
}

/** `stages.imprint.betas.1`: list elements by their name where they have one. */
export function pathText(settings: unknown, path: readonly PropertyKey[]): string {
  return path.map((key, i) => {
    const item = valueAt(settings, path.slice(0, i + 1));
    return typeof key === "number" && isMapping(item) && typeof item.name === "string"
      ? item.name
      : String(key);
  }).join(".");
}

const KINDS: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "a text",
  boolean: "true or false",
  object: "a mapping",
  record: "a mapping",
  array: "a list",
  tuple: "a list of two numbers",
};

const kindName = (kind = ""): string => KINDS[kind] ?? kind;

/** What was expected, for issues about one value; null for those that tell it themselves. */
function expectation(issue: Issue, found: unknown): string | null {
  switch (issue.code) {
    case "invalid_type":
      return kindName(issue.expected);
    case "too_small":
      if (issue.origin === "string") return "a text that is not empty";
      if (issue.origin === "array") return "a list that is not empty";
      return `${issue.inclusive ? "at least" : "greater than"} ${issue.minimum}`;
    case "too_big":
      return `${issue.inclusive ? "at most" : "less than"} ${issue.maximum}`;
    case "invalid_value":
    case "invalid_union": {
      const options = issue.values ?? issue.options;
      if (!options) return unionExpectation(issue);
      const near = typeof found === "string" ? nearest(found, options.map(String)) : null;
      return `${options.join(" or ")}${near === null ? "" : ` (did you mean "${near}"?)`}`;
    }
    case "invalid_format":
      return "a name of letters, digits, - and _ (and owner/name for the hub)";
    default:
      return null;
  }
}

/** `nursery or a mapping`: the alternatives of a value that fits none of them. */
function unionExpectation(issue: Issue): string {
  const alternatives = (issue.errors ?? []).map((errors) => {
    const [first] = errors;
    if (first?.path.length !== 0) return kindName("object");
    return first.values ? first.values.join(" or ") : kindName(first.expected);
  });
  return [...new Set(alternatives)].join(" or ");
}

/**
 * One line for one issue.
 * @param settings What was checked, before defaults.
 */
export function explainIssue(
  issue: Issue,
  settings: unknown,
  presets: readonly string[],
): string {
  const found = valueAt(settings, issue.path);
  const meant = isMapping(found) ? likeliest(issue) : null;
  if (meant) {
    return explainIssue({ ...meant, path: [...issue.path, ...meant.path] }, settings, presets);
  }
  const where = pathText(settings, issue.path);
  if (issue.code === "unrecognized_keys") {
    return unknownKey(issue.keys?.[0] ?? "", where, issue.path, found, presets);
  }
  const expected = expectation(issue, found);
  if (expected === null) return `${where} ${issue.message}`;
  if (found === undefined) return `${where} is missing: it must be ${expected}`;
  return `${where} must be ${expected}, found ${kindOf(found)}`;
}

/** Of a union's alternatives that are mappings, the first mistake of the one with the fewest. */
function likeliest(issue: Issue): Issue | null {
  const mappings = (issue.errors ?? []).filter((errors) =>
    errors.every(({ code, path }) => path.length > 0 || code === "unrecognized_keys")
  );
  const mistakes = (errors: readonly Issue[]) =>
    errors.reduce((sum, { keys }) => sum + (keys?.length ?? 1), 0);
  return mappings.sort((a, b) => mistakes(a) - mistakes(b))[0]?.[0] ?? null;
}

function unknownKey(
  key: string,
  where: string,
  path: readonly PropertyKey[],
  mapping: unknown,
  presets: readonly string[],
): string {
  const full = where === "" ? key : `${where}.${key}`;
  const kind = isMapping(mapping) ? mapping.kind : undefined;
  const valid = keysAt(path, presets, kind);
  if (keysAt(path, presets).includes(key)) {
    const others = Object.keys(mapping as object).filter((other) => other !== key).join(", ");
    return kind === undefined
      ? `${full} cannot stand beside ${others}`
      : `${full} does not exist in a stage of kind ${kind}`;
  }
  const stageKey = path.length === 0 && nearest(key, valid) === null &&
    nearest(key, keysAt(["stages", 0], presets));
  if (stageKey) return `${full} is unknown here: set stages.all.${stageKey}, or one stage's`;
  return `unknown key ${full}${suggestion(key, valid)}`;
}
