/**
 * `deno task schema`: writes the JSON Schema of training configurations, so that editors can complete and check them.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PRESETS } from "../config/presets.ts";
import { trainJsonSchema } from "../config/schema.ts";
import { writeFileAtomic } from "../files.ts";
import { type Command, defineCommand, main } from "./command.ts";

/** The text of `train.schema.json`. */
export function schemaText(): string {
  return `${JSON.stringify(trainJsonSchema(Object.keys(PRESETS)), null, 2)}\n`;
}

/** The command. */
export const schema: Command = defineCommand({
  name: "schema",
  summary: "Writes the JSON Schema of training configurations (train.schema.json).",
  options: {},
  async run({ values, note }) {
    const folder = values.out ?? fileURLToPath(new URL("../config", import.meta.url));
    const path = join(folder, "train.schema.json");
    await writeFileAtomic(path, schemaText());
    note(`wrote ${path}`);
    return { ok: true, json: { path } };
  },
});

if (import.meta.main) await main(schema);
