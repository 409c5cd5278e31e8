/**
 * `deno task train` around a trainer that only makes its run folder, so that what happens before and around training
 * can be tested in a second and without a GPU.
 */
import { main } from "../../../workflows/cli/command.ts";
import { trainCommand } from "../../../workflows/cli/train.ts";
import { createRunFolder } from "../../../workflows/run_folder.ts";

await main(trainCommand(async ({ config, folder, resume }) => {
  if (resume === null) await createRunFolder(folder, config);
  return { json: { resume }, lines: [] };
}));
