/**
 * `deno task dashboard --run DIR`: the report of a run, live on this machine while it trains.
 */
import { InputError } from "../../kernels/errors.ts";
import { onInterrupt } from "../files.ts";
import { LiveView } from "../report/live/server.ts";
import { auditPath } from "../stages/audit.ts";
import { type Command, defineCommand, main } from "./command.ts";

/** Between two looks whether the run has ended, milliseconds. */
const PAUSE = 2000;

/** The command. */
export const dashboardCommand: Command = defineCommand({
  name: "dashboard",
  summary:
    "Serves the report of a run on this machine, live while it trains, until the run ends or Ctrl-C.",
  options: {
    run: { type: "string", value: "DIR", help: "folder of the run (required)" },
    port: { type: "integer", value: "N", min: 0, help: "port on 127.0.0.1 (default: a free one)" },
  },
  notes: [
    "A run that has ended already is served until Ctrl-C. deno task train --watch does the same beside the training.",
    "",
    "  deno task dashboard --run runs/nursery-20260131-120000 --port 8080",
  ],
  async run({ values, note }) {
    if (values.run === undefined) throw new InputError("name the run to show: --run DIR");
    const folder = values.run;
    await using view = new LiveView({ folder, port: values.port ?? 0 });
    note(`dashboard ${view.url}`);
    const stop = Promise.withResolvers<void>();
    using _listening = onInterrupt(() => stop.resolve());
    const over = await hasEnded(folder);
    const timer = setInterval(async () => {
      if (over || !await hasEnded(folder)) return;
      clearInterval(timer);
      await view.finish();
      note(`the run has ended; to keep its report: deno task report --run ${folder}`);
      stop.resolve();
    }, PAUSE);
    await stop.promise;
    clearInterval(timer);
    return { ok: true, json: { url: view.url } };
  },
});

/** Whether the last decision on record is that the run is over. */
async function hasEnded(folder: string): Promise<boolean> {
  const text = await Deno.readTextFile(auditPath(folder)).catch(() => "");
  const last = text.trimEnd().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(last).event === "end";
  } catch {
    return false;
  }
}

if (import.meta.main) await main(dashboardCommand);
