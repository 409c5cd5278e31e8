/**
 * Data sets by hub name (`org/name`, `org/name:split`, `org/name@revision:split`), kept in a cache folder.
 *
 * A revision is resolved to its commit first and files are kept by commit, so a cached copy never mixes two
 * versions; without a network the last resolved commit is used. The layout of the cache is
 * `<cache>/<org>--<name>/<commit>/<path in the repository>`.
 */
import { dirname, join } from "node:path";
import { InputError } from "../../../kernels/errors.ts";
import { type DataFile, type FileKind, oneLine } from "./bytes.ts";
import { classifyFile } from "./files.ts";

/** A hub name taken apart. */
export interface HubName {
  readonly name: string;
  readonly revision: string | null;
  readonly split: string | null;
}

/** How to reach the hub and where to keep what it sends. */
export interface HubOptions {
  /** Branch, tag or commit; default `main`. */
  readonly revision?: string;
  /** Folder inside the repository, for sets that have several (`harmless-base` of HH-RLHF). */
  readonly subset?: string;
  /** `train` (the default), `validation`, `test`, or any word in the file names. */
  readonly split?: string;
  /** Address of the hub or of a mirror of it. */
  readonly hubUrl?: string;
  /** Default: `infant/datasets` below XDG_CACHE_HOME, or below `~/.cache`. */
  readonly cacheDir?: string;
  /** For private and gated sets. */
  readonly accessToken?: string;
  /** Told when a cached copy stands in for the hub. */
  readonly warn?: (message: string) => void;
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
  const cache = join(options.cacheDir ?? defaultCacheDir(), hub.name.replace("/", "--"));
  const revision = hub.revision ?? options.revision ?? "main";
  const { commit, paths } = await listRepository(hub.name, revision, cache, options);
  const chosen = chooseFiles(paths, hub.split ?? options.split, options.subset, hub.name, kind);
  const files: DataFile[] = [];
  for (const path of chosen) {
    const local = join(cache, commit, path);
    if (!await exists(local)) await download(hub.name, commit, path, local, options);
    files.push(classifyFile(local, kind)!);
  }
  return files;
}

interface Listing {
  readonly commit: string;
  readonly paths: readonly string[];
}

async function listRepository(
  name: string,
  revision: string,
  cache: string,
  options: HubOptions,
): Promise<Listing> {
  const record = join(cache, `${encodeURIComponent(revision)}.json`);
  const { datasetInfo, listFiles } = await import("@huggingface/hub");
  const access = accessOf(options);
  try {
    const info = await datasetInfo({ name, revision, additionalFields: ["sha"], ...access });
    const commit = String(info.sha);
    const paths: string[] = [];
    const repo = { type: "dataset" as const, name };
    for await (const file of listFiles({ repo, revision: commit, recursive: true, ...access })) {
      if (file.type === "file") paths.push(file.path);
    }
    const listing = checkListing({ commit, paths }, name);
    await writeWhole(record, new Blob([JSON.stringify(listing)]).stream());
    return listing;
  } catch (error) {
    const cached = isOffline(error) ? await readRecord(record) : null;
    if (!cached) throw hubError(error, name, revision);
    options.warn?.(
      `hub not reachable: ${name} is read from the cache (${cached.commit.slice(0, 12)})`,
    );
    return checkListing(cached, name);
  }
}

/** What a server names becomes a path here, so it must stay inside the cache folder. */
function checkListing(listing: Listing, name: string): Listing {
  const escapes = (path: string) => path.startsWith("/") || /(^|[\\/])\.\.([\\/]|$)|\\/.test(path);
  if (!/^[0-9a-f]{7,64}$/.test(listing.commit) || listing.paths.some(escapes)) {
    throw new InputError(`${name}: the hub answered with an unusable commit or file name`);
  }
  return listing;
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
  let chosen = data.filter((path) => inSplit(path, SPLIT_WORDS[wanted] ?? [escapeRegExp(wanted)]));
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
        `choose by the options subset or fileType`,
    );
  }
  return chosen;
}

async function download(
  name: string,
  commit: string,
  path: string,
  local: string,
  options: HubOptions,
): Promise<void> {
  const { downloadFile } = await import("@huggingface/hub");
  try {
    const repo = { type: "dataset" as const, name };
    const blob = await downloadFile({ repo, path, revision: commit, ...accessOf(options) });
    if (!blob) throw new InputError(`${name}: the hub lists ${path} but does not have it`);
    await writeWhole(local, blob.stream(), blob.size);
  } catch (error) {
    throw hubError(error, name, commit);
  }
}

/** Writes beside the target and renames, so that an interrupted download leaves nothing that looks whole. */
async function writeWhole(
  path: string,
  bytes: ReadableStream<Uint8Array>,
  size?: number,
): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const temporary = await Deno.makeTempFile({ dir: dirname(path), prefix: ".part-" });
  try {
    await Deno.writeFile(temporary, bytes);
    const written = (await Deno.stat(temporary)).size;
    if (size !== undefined && written !== size) {
      throw new InputError(`${path}: the download has ${written} of ${size} bytes; try again`);
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}

function accessOf(options: HubOptions): { hubUrl?: string; accessToken?: string } {
  return {
    ...(options.hubUrl && { hubUrl: options.hubUrl.replace(/\/$/, "") }),
    ...(options.accessToken && { accessToken: options.accessToken }),
  };
}

/** `fetch` reports an unreachable server as a TypeError, and Deno a network it may not use as NotCapable. */
function isOffline(error: unknown): boolean {
  return error instanceof TypeError || error instanceof Deno.errors.NotCapable;
}

function hubError(error: unknown, name: string, revision: string): InputError {
  if (error instanceof InputError) return error;
  if (isOffline(error)) {
    return new InputError(
      `${name}: no file or folder of this name here, and the hub cannot be reached (${
        oneLine(error)
      }); pass the path of a local copy`,
    );
  }
  const status = (error as { statusCode?: number }).statusCode;
  const advice = status === 401 || status === 403 || status === 404
    ? "check the name and revision; a private or gated set needs accessToken"
    : "try again later or pass the path of a local copy";
  return new InputError(`${name}@${revision}: the hub says no (${oneLine(error)}); ${advice}`);
}

async function readRecord(path: string): Promise<Listing | null> {
  try {
    return JSON.parse(await Deno.readTextFile(path)) as Listing;
  } catch {
    return null;
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

function defaultCacheDir(): string {
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE") ?? ".";
  return join(Deno.env.get("XDG_CACHE_HOME") || join(home, ".cache"), "infant", "datasets");
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
