/**
 * Models and tokenizers by hub name: `hub:OWNER/NAME`, `hub:OWNER/NAME@REVISION`, and `:PATH` behind either for one file
 * of a repository that is no model folder (`hub:karpathy/tinyllamas:stories260K/stories260K.bin`).
 */
import { dirname } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { type HubAccess, hubFile, listRepository, type Repository } from "../hub.ts";

/** What begins a name on the hub. */
const PREFIX = "hub:";

/** What a model folder is made of; checkpoints in other formats beside it are not downloaded. */
const MODEL_FILES =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|vocab|added_tokens|model\.safetensors\.index)\.json$|^model(-\d+-of-\d+)?\.safetensors$|^merges\.txt$|^chat_template\.jinja$/;

/** True for a name on the hub rather than a path. */
export function isHubModel(name: string): boolean {
  return name.startsWith(PREFIX);
}

/**
 * Downloads a model, where the cache lacks it, and returns the local folder or file; a path is returned as it is.
 * @throws {InputError} when the name cannot be one, the hub cannot be reached and nothing is cached, or there is no such
 *   repository, revision or file.
 */
export async function localModel(name: string, access: HubAccess = {}): Promise<string> {
  if (!isHubModel(name)) return name;
  const word = "[A-Za-z0-9][\\w.-]*";
  const pattern = new RegExp(`^${PREFIX}(${word}/${word})(?:@([\\w./-]+))?(?::(.+))?$`);
  const [, repositoryName, revision = "main", path] = pattern.exec(name) ?? [];
  if (!repositoryName) {
    throw new InputError(`${name}: a model on the hub is written hub:OWNER/NAME[@REVISION][:PATH]`);
  }
  const repository: Repository = { type: "model", name: repositoryName };
  const { commit, paths } = await listRepository(repository, revision, access);
  if (path !== undefined) {
    if (paths.includes(path)) return await hubFile(repository, commit, path, access);
    throw new InputError(`${name}: the repository has no file ${path}; it has ${some(paths)}`);
  }
  const wanted = paths.filter((file) => MODEL_FILES.test(file));
  if (!wanted.includes("config.json") || !wanted.some((file) => file.endsWith(".safetensors"))) {
    throw new InputError(
      `${name}: no config.json with model.safetensors there; name one file as ${name}:PATH, it has ${
        some(paths)
      }`,
    );
  }
  const files: string[] = [];
  for (const file of wanted) files.push(await hubFile(repository, commit, file, access));
  return dirname(files[0]);
}

/** The first few of many names. */
function some(paths: readonly string[]): string {
  const shown = paths.slice(0, 8).join(", ");
  return paths.length > 8 ? `${shown} and ${paths.length - 8} more` : shown || "no files";
}
