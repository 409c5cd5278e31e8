/**
 * Which files a path, folder or glob stands for, and what kind each is by its extension.
 */
import { glob } from "node:fs/promises";
import { InputError } from "../../../kernels/errors.ts";
import type { DataFile, FileKind } from "./bytes.ts";

const KIND_OF_EXTENSION: ReadonlyMap<string, FileKind> = new Map([
  ["jsonl", "jsonl"],
  ["ndjson", "jsonl"],
  ["json", "json"],
  ["csv", "csv"],
  ["tsv", "tsv"],
  ["parquet", "parquet"],
  ["txt", "text"],
  ["text", "text"],
]);

/** The extensions that are understood, for messages. */
export const KNOWN_EXTENSIONS: string = [...KIND_OF_EXTENSION.keys()].map((e) => `.${e}`).join(
  ", ",
);

/** The kind of a file by its name, or null when the extension says nothing. */
export function classifyFile(path: string, kind?: FileKind): DataFile | null {
  const gzipped = /\.gz$/i.test(path);
  const extension = /\.([a-z]+)$/i.exec(gzipped ? path.slice(0, -3) : path)?.[1]?.toLowerCase();
  const found = kind ?? KIND_OF_EXTENSION.get(extension ?? "");
  return found ? { path, kind: found, gzipped } : null;
}

/**
 * The files of an existing path, a folder (searched in depth; files of unknown extension and hidden ones are
 * left out) or a glob, sorted by name; null when nothing of that name is there.
 * @throws {InputError} for an unknown extension, an empty folder, or kinds that do not belong together.
 */
export async function findFiles(path: string, kind?: FileKind): Promise<DataFile[] | null> {
  const isFile = await pathIsFile(path);
  if (isFile) {
    const file = classifyFile(path, kind);
    if (file) return [file];
    throw new InputError(
      `${path}: unknown extension; known are ${KNOWN_EXTENSIONS} (each also with .gz), ` +
        `or say what it is with the option file_type`,
    );
  }
  const isGlob = isFile === null && /[*?[{]/.test(path);
  if (isFile === null && !isGlob) return null;
  const names = isGlob ? await expandGlob(path) : await walk(path);
  const files = names.sort().map((name) => classifyFile(name, kind)).filter((f) => f !== null);
  if (files.length === 0) {
    const what = isGlob ? "no data file matches" : "the folder holds no data file";
    throw new InputError(`${path}: ${what} (known extensions: ${KNOWN_EXTENSIONS}, also with .gz)`);
  }
  const kinds = [...new Set(files.map((file) => file.kind))];
  if (kinds.length > 1) {
    throw new InputError(
      `${path}: holds files of several kinds (${kinds.join(", ")}); choose with a glob such as *.${
        kinds[0]
      }`,
    );
  }
  return files;
}

/** True for a file, false for a folder, null for neither. */
async function pathIsFile(path: string): Promise<boolean | null> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    // ENAMETOOLONG and the like are no file either; what matters is that nothing can be read there.
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
      throw new InputError(`${path}: no permission to read it`);
    }
    return null;
  }
}

async function walk(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.name.startsWith(".")) continue;
    const path = `${folder.replace(/\/$/, "")}/${entry.name}`;
    const isFolder = entry.isSymlink ? await pathIsFile(path) === false : entry.isDirectory;
    if (isFolder && !entry.isSymlink) found.push(...await walk(path));
    else if (!isFolder) found.push(path);
  }
  return found;
}

async function expandGlob(pattern: string): Promise<string[]> {
  const found: string[] = [];
  for await (const path of glob(pattern)) {
    if (await pathIsFile(path)) found.push(path);
  }
  return found;
}
