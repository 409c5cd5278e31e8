/**
 * Data sets by hub name: `org/name`, `org/name:split`, `org/name@revision:split`.
 */
import { InputError } from "../../../kernels/errors.ts";
import { type HubAccess, hubFile, listRepository } from "../../hub.ts";
import type { DataFile, FileKind } from "./bytes.ts";
import { classifyFile } from "./files.ts";

/** A hub name taken apart. */
export interface HubName {
  readonly name: string;
  readonly revision: string | null;
  readonly split: string | null;
}

/** How to reach the hub, and which part of a data set is meant. */
export interface HubOptions extends HubAccess {
  /** Branch, tag or commit; default `main`. */
  readonly revision?: string;
  /** Folder inside the repository, for sets that have several (`harmless-base` of HH-RLHF). */
  readonly subset?: string;
  /** `train` (the default), `validation`, `test`, or any word in the file names. */
  readonly split?: string;
}

/** Words by which file names tell their split, as hubs have them. */
const SPLIT_WORDS: Readonly<Record<string, readonly string[]>> = {
  train: ["train", "training"],
  validation: ["validation", "valid", "val", "dev"],
  test: ["test", "testing", "eval", "evaluation"],
};

/** Takes a hub name apart; null when the text cannot be one. */
export function parseHubName(text: string): HubName | null {
  const word = "[A-Za-z0-9][\\w.-]*";
  const match = new RegExp(`^(${word}/${word})(?:@([\\w./-]+))?(?::([\\w.-]+))?$`).exec(text);
  return match && { name: match[1], revision: match[2] ?? null, split: match[3] ?? null };
}

/**
 * The data files of a hub data set, downloaded where the cache lacks them.
 * @throws {InputError} when the hub cannot be reached and nothing is cached, or has no such set or split.
 */
export async function fetchHubFiles(
  hub: HubName,
  options: HubOptions = {},
  kind?: FileKind,
): Promise<DataFile[]> {
  const repository = { type: "dataset", name: hub.name } as const;
  const revision = hub.revision ?? options.revision ?? "main";
  const { commit, paths } = await listRepository(repository, revision, options);
  const chosen = chooseFiles(paths, hub.split ?? options.split, options.subset, hub.name, kind);
  const files: DataFile[] = [];
  for (const path of chosen) {
    files.push(classifyFile(await hubFile(repository, commit, path, options), kind)!);
  }
  return files;
}

function chooseFiles(
  paths: readonly string[],
  split: string | undefined,
  subset: string | undefined,
  name: string,
  kind?: FileKind,
): string[] {
  const prefix = subset === undefined ? "" : `${subset.replace(/\/$/, "")}/`;
  const data = paths.filter((p) => p.startsWith(prefix) && classifyFile(p) !== null).sort();
  const inSplit = (path: string, words: readonly string[]) =>
    words.some((w) =>
      new RegExp(`(^|[^a-z0-9])${w}([^a-z0-9]|$)`, "i").test(path.slice(prefix.length))
    );
  const known = Object.keys(SPLIT_WORDS).filter((s) =>
    data.some((p) => inSplit(p, SPLIT_WORDS[s]))
  );
  const wanted = split ?? "train";
  const words = Object.hasOwn(SPLIT_WORDS, wanted) ? SPLIT_WORDS[wanted] : [escapeRegExp(wanted)];
  let chosen = data.filter((path) => inSplit(path, words));
  // A set whose names tell no split at all is one training split.
  if (chosen.length === 0 && known.length === 0 && wanted === "train") chosen = data;
  if (kind) chosen = chosen.filter((path) => classifyFile(path)?.kind === kind);
  if (chosen.length === 0) {
    const found = data.length === 0 ? "no data files" : `splits ${known.join(", ") || "unnamed"}`;
    throw new InputError(
      `${name}: no data file for split ${JSON.stringify(wanted)}${
        prefix && ` in ${prefix}`
      } (${found}); name a split as ${name}:SPLIT`,
    );
  }
  const kinds = new Set(chosen.map((path) => classifyFile(path)!.kind));
  if (kinds.size > 1) {
    throw new InputError(
      `${name}: the split ${wanted} comes in several kinds (${[...kinds].join(", ")}); ` +
        `choose by the options subset or file_type`,
    );
  }
  return chosen;
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
