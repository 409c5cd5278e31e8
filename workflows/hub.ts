/**
 * Repositories of the Hugging Face hub, data sets and models, kept in a cache folder.
 *
 * A revision is resolved to its commit first and files are kept by commit, so a cached copy never mixes two
 * versions; without a network the last resolved commit is used. The layout of the cache is
 * `<cache>/<owner>--<name>/<commit>/<path in the repository>`.
 */
import { dirname, join } from "node:path";
import { InputError, oneLine } from "../kernels/errors.ts";
import { fileProblem, writeAll, writeFileAtomic, writeWhole } from "./files.ts";

/** How to reach the hub and where to keep what it sends. */
export interface HubAccess {
  /** Address of the hub or of a mirror of it. */
  readonly hubUrl?: string;
  /** Default: `infant/datasets` or `infant/models` below XDG_CACHE_HOME, or below `~/.cache`. */
  readonly cacheDir?: string;
  /** For private and gated repositories. */
  readonly accessToken?: string;
  /** Told when a cached copy stands in for the hub. */
  readonly warn?: (message: string) => void;
}

/** One repository. */
export interface Repository {
  /** The hub keeps data sets and models apart. */
  readonly type: "dataset" | "model";
  /** `owner/name`. */
  readonly name: string;
}

/** What a repository holds at one commit. */
export interface Listing {
  /** The commit that a revision meant. */
  readonly commit: string;
  /** Paths of all its files. */
  readonly paths: readonly string[];
}

/**
 * The files of a repository at a revision (branch, tag or commit).
 * @throws {InputError} when the hub cannot be reached and the cache knows nothing, or says no.
 */
export async function listRepository(
  repository: Repository,
  revision: string,
  options: HubAccess = {},
): Promise<Listing> {
  const { name, type } = repository;
  const record = join(cacheOf(repository, options), `${encodeURIComponent(revision)}.json`);
  const { datasetInfo, listFiles, modelInfo } = await import("@huggingface/hub");
  const access = accessOf(options);
  try {
    const wanted = { name, revision, additionalFields: ["sha" as const], ...access };
    const info = type === "dataset" ? await datasetInfo(wanted) : await modelInfo(wanted);
    const commit = String(info.sha);
    const paths: string[] = [];
    for await (
      const file of listFiles({ repo: repository, revision: commit, recursive: true, ...access })
    ) {
      if (file.type === "file") paths.push(file.path);
    }
    const listing = checkListing({ commit, paths }, name);
    await writeFileAtomic(record, JSON.stringify(listing));
    return listing;
  } catch (error) {
    const cached = isOffline(error) ? await readRecord(record) : null;
    if (!cached) throw hubError(error, repository, revision);
    const listing = checkListing(cached, name);
    options.warn?.(
      `hub not reachable: ${name} is read from the cache (${listing.commit.slice(0, 12)})`,
    );
    return listing;
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

/**
 * One file of a repository, downloaded where the cache lacks it.
 * @returns Where it lies.
 * @throws {InputError} when it cannot be had.
 */
export async function hubFile(
  repository: Repository,
  commit: string,
  path: string,
  options: HubAccess = {},
): Promise<string> {
  const local = join(cacheOf(repository, options), commit, path);
  if (await exists(local)) return local;
  const { downloadFile } = await import("@huggingface/hub");
  try {
    const from = { repo: repository, path, revision: commit };
    const blob = await downloadFile({ ...from, ...accessOf(options) });
    if (!blob) {
      throw new InputError(`${repository.name}: the hub lists ${path} but does not have it`);
    }
    await Deno.mkdir(dirname(local), { recursive: true });
    await writeWhole(local, async (file) => {
      for await (const bytes of blob.stream()) await writeAll(file, bytes);
      const { size } = await file.stat();
      if (size !== blob.size) {
        throw new InputError(`${local}: the download has ${size} of ${blob.size} bytes; try again`);
      }
    });
    return local;
  } catch (error) {
    throw hubError(error, repository, commit);
  }
}

function accessOf(options: HubAccess): { hubUrl?: string; accessToken?: string } {
  return {
    ...(options.hubUrl && { hubUrl: options.hubUrl.replace(/\/$/, "") }),
    ...(options.accessToken && { accessToken: options.accessToken }),
  };
}

/** `fetch` reports an unreachable server as a TypeError, and Deno a network it may not use as NotCapable. */
function isOffline(error: unknown): boolean {
  return error instanceof TypeError || error instanceof Deno.errors.NotCapable;
}

function hubError(error: unknown, { name, type }: Repository, revision: string): InputError {
  if (error instanceof InputError) return error;
  if (isOffline(error)) {
    return new InputError(
      `${name}: ${type === "dataset" ? "no file or folder of this name here, and " : ""}` +
        `the hub cannot be reached (${oneLine(error)}); pass the path of a local copy`,
    );
  }
  // A full disk or a cache folder that may not be written is no answer of the hub's.
  const local = fileProblem(error);
  if (local) return local;
  const status = (error as { statusCode?: number }).statusCode;
  const advice = status === 401 || status === 403 || status === 404
    ? `check the name and revision; a private or gated ${type} needs an access token`
    : "try again later or pass the path of a local copy";
  return new InputError(`${name}@${revision}: the hub says no (${oneLine(error)}); ${advice}`);
}

async function readRecord(path: string): Promise<Listing | null> {
  try {
    const { commit, paths } = JSON.parse(await Deno.readTextFile(path));
    return Array.isArray(paths) ? { commit: String(commit), paths: paths.map(String) } : null;
  } catch {
    return null;
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

function cacheOf({ type, name }: Repository, { cacheDir }: HubAccess): string {
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE") ?? ".";
  const caches = Deno.env.get("XDG_CACHE_HOME") || join(home, ".cache");
  return join(cacheDir ?? join(caches, "infant", `${type}s`), name.replace("/", "--"));
}
