/**
 * SHA-256 of files and folders: what a certificate says it is about.
 */
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../../../kernels/errors.ts";
import declared from "../../../deno.json" with { type: "json" };
import { fileProblem } from "../../files.ts";

/** A file or folder and the SHA-256 of what it holds. */
export interface Hashed {
  /** Where it was, as the user named it. */
  readonly path: string;
  /** SHA-256 (hex) by file name. */
  readonly files: Readonly<{ [name: string]: string }>;
}

/** SHA-256 of a file, read piece by piece. */
export async function sha256File(path: string): Promise<string> {
  try {
    const hash = createHash("sha256");
    using file = await Deno.open(path);
    const buffer = new Uint8Array(1 << 20);
    for (let n; (n = await file.read(buffer)) !== null;) hash.update(buffer.subarray(0, n));
    return hash.digest("hex");
  } catch (error) {
    throw fileProblem(error, path) ?? error;
  }
}

/** What decides how a model replies; what only a trainer or a reader needs does not. */
const MODEL_FILES = /\.(safetensors|json|jinja|txt|bin|gguf|model|bpe|ya?ml)$/;
const NOT_THE_MODEL = /^(optimizer|fisher|trainer_state|stage|certificate)\b/;

/**
 * Hashes of a file, or of the files in a folder that say what a model is.
 * @throws {InputError} when there is nothing at the path, or nothing to hash.
 */
export async function hashModel(path: string): Promise<Hashed> {
  const info = await Deno.stat(path).catch(() => null);
  if (!info) throw new InputError(`${path}: no such file or folder`);
  // Such a file is half a model: its configuration and tokenizer lie beside it.
  if (path.endsWith(".safetensors")) return { ...await hashModel(dirname(path)), path };
  if (!info.isDirectory) return { path, files: { [basename(path)]: await sha256File(path) } };
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(path)) {
    if (isFile && MODEL_FILES.test(name) && !NOT_THE_MODEL.test(name)) names.push(name);
  }
  if (names.length === 0) throw new InputError(`${path}: no model files in this folder`);
  const files: { [name: string]: string } = {};
  for (const name of names.sort()) files[name] = await sha256File(join(path, name));
  return { path, files };
}

/** The toolkit itself. */
export interface CodeVersion {
  /** Version in deno.json. */
  readonly version: string;
  /** SHA-256 over all sources; null when they are not files here. */
  readonly sources: string | null;
}

/** Version and hash of the toolkit that runs. */
export async function codeVersion(): Promise<CodeVersion> {
  const { version } = declared;
  const manifest = new URL("../../../deno.json", import.meta.url);
  if (manifest.protocol !== "file:") return { version, sources: null };
  const root = dirname(fileURLToPath(manifest));
  const paths: string[] = [];
  for (const room of ["kernels", "workflows"]) await collect(root, room, paths);
  const hash = createHash("sha256");
  for (const path of paths.sort()) hash.update(`${path} ${await sha256File(join(root, path))}\n`);
  return { version, sources: hash.digest("hex") };
}

async function collect(root: string, folder: string, paths: string[]): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(join(root, folder))) {
    const path = `${folder}/${name}`;
    if (isDirectory) await collect(root, path, paths);
    else if (/\.(ts|wgsl)$/.test(name)) paths.push(path);
  }
}
