/**
 * `deno task report --run DIR`: one self-contained HTML file that tells a run, compares several, and shows a sweep's frontier.
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { defaultReportPath, writeReport } from "../report/report.ts";
import { type Command, defineCommand, main } from "./command.ts";

/** A report larger than this is slow to open. */
const LARGE = 3_000_000;

/** The command. */
export const reportCommand: Command = defineCommand({
  name: "report",
  summary: "Tells a run in one self-contained HTML file; compares several; shows a sweep.",
  options: {
    run: {
      type: "string",
      value: "DIR",
      help: "folder of a run; may be given several times, to compare",
      many: true,
    },
    sweep: { type: "string", value: "DIR", help: "folder of a sweep: its frontier" },
  },
  notes: [
    "--out names the HTML file; default: report.html in the folder of the sweep, or of the first run.",
    "",
    "  deno task report --run runs/nursery-20260131-120000",
    "  deno task report --run runs/a --run runs/b --out compared.html",
    "  deno task report --sweep runs/lambda",
  ],
  async run({ values, note }) {
    const runs = values.run?.split("\n") ?? [];
    const sweep = values.sweep ?? null;
    if (runs.length === 0 && sweep === null) {
      throw new InputError("name the run to report on: --run DIR (or --sweep DIR)");
    }
    const out = values.out?.endsWith("/")
      ? join(values.out, "report.html")
      : values.out ?? defaultReportPath(runs, sweep);
    const bytes = await writeReport({ runs, sweep, out });
    note(`report    ${out}  (${(bytes / 1e6).toFixed(2)} MB, opens in any browser)`);
    if (bytes > LARGE) note(`note: it is large; name fewer runs for one that opens faster`);
    return { ok: true, json: { out, bytes } };
  },
});

if (import.meta.main) await main(reportCommand);
