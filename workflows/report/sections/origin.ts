/**
 * Where the numbers come from: configuration, environment, cost.
 */
import { secondsOf, tokensOf } from "../facts.ts";
import { type Content, folded, html, tableHtml } from "../page/html.ts";
import type { RunData, Settings } from "../run_data.ts";
import { count, rounded, seconds } from "../words.ts";
import { type Context, type Section, section } from "./section.ts";

/** The configuration as it was resolved; null where it is missing. */
export function configSection(context: Context): Section | null {
  const { run, prefix } = context;
  if (run.configText === null) return null;
  return section(
    context,
    "config",
    "Configuration",
    html`<p>Every setting of the run with its defaults filled in. Train it again with <code>deno task train --config config.yaml --out DIR</code>; on the same adapter the same seed gives the same bytes.</p>
${folded(`${prefix}config-text`, "config.yaml", html`<pre tabindex="0">${run.configText}</pre>`)}`,
  );
}

/** Environment and cost. */
export function originSection(context: Context): Section {
  const { run } = context;
  const environment = run.environments.at(-1);
  const rows: Content[][] = [
    ...(environment
      ? [
        ["adapter", environment.adapter],
        ["toolkit", environment.toolkit],
        ["Deno", environment.deno],
        ["system", `${environment.system}, ${environment.processors ?? "?"} logical processors`],
      ]
      : run.certificate
      ? [["adapter", run.certificate.adapter], ["toolkit", run.certificate.toolkit.version]]
      : [["environment", "not recorded"]]),
    ...run.environments.slice(0, -1).map((earlier) => [
      "before that",
      `${earlier.adapter}, toolkit ${earlier.toolkit}, Deno ${earlier.deno}, ${earlier.system}`,
    ]),
    ["precision", String(run.config?.precision ?? "-")],
    ["seed", String(run.config?.seed ?? "-")],
    ...costRows(run),
  ];
  return section(
    context,
    "origin",
    "Environment and cost",
    html`
      ${tableHtml({
        caption: "Where it ran and what it took",
        head: ["what", "value"],
        rows,
        numbers: [],
        quiet: true,
      })}
      <p
        class="soft">Time is from the first to the last event of each session, exams and gates included. Floating-point operations are counted as 6 per parameter and token, which leaves attention out.</p>
    `,
  );
}

/** What a run took. */
export function costRows(run: RunData): string[][] {
  const [tokens, time] = [tokensOf(run), secondsOf(run)];
  const rows = [["tokens trained", count(tokens)]];
  if (run.parameters !== null) {
    rows.push(["parameters", count(run.parameters)]);
    const operations = 6 * run.parameters * tokens;
    rows.push(["training operations", `about ${operations.toExponential(1)}`]);
  }
  if (time !== null) {
    rows.push([
      "time",
      `${seconds(time)} in ${run.sessions.length} session${run.sessions.length === 1 ? "" : "s"}`,
    ]);
    if (time > 0) rows.push(["tokens per second, over all", count(tokens / time)]);
    const begun = new Date(1000 * run.sessions[0].from).toISOString();
    rows.push(["begun", begun.slice(0, 16).replace("T", " ") + " UTC"]);
  }
  const lora = run.config?.lora as Settings | null | undefined;
  if (lora) rows.push(["adapters", `LoRA, rank ${lora.r}, alpha ${lora.alpha}`]);
  if (run.checkpoints.length > 0) rows.push(["checkpoints", rounded(run.checkpoints.length)]);
  return rows;
}
