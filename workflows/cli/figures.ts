/**
 * `deno task figures --run DIR`: draws the loss and the exam of a run as one SVG file.
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { writeFileAtomic } from "../files.ts";
import { readRun, runFigure } from "../report/run_figure.ts";
import { type Command, defineCommand, main } from "./command.ts";

/** The command. */
export const figuresCommand: Command = defineCommand({
  name: "figures",
  summary: "Draws a run: the loss over tokens, and the exam before and after each stage.",
  options: {
    run: { type: "string", value: "DIR", help: "folder of the run (required)" },
  },
  notes: [
    "--out names the SVG file; default: figure.svg in the run folder.",
    "",
    "  deno task figures --run runs/nursery-20260131-120000 --out .github/learning.svg",
  ],
  async run({ values, note }) {
    if (values.run === undefined) throw new InputError("name the run to draw: --run DIR");
    const out = values.out ?? join(values.run, "figure.svg");
    const svg = await runFigure(await readRun(values.run));
    await writeFileAtomic(out, svg);
    note(`figure    ${out}`);
    return { ok: true, json: { out } };
  },
});

if (import.meta.main) await main(figuresCommand);
