/**
 * The certificate of a run: its statement, the bounds side by side, and the chain of the exact one.
 */
import { percentUp, type Scope } from "../../safety/certificate/certificate.ts";
import { MEANINGS, type Quantity } from "../../safety/certificate/estimates.ts";
import { boundsChart, chainOf, waterfallChart } from "../charts/certificate.ts";
import { percentText } from "../charts/parts.ts";
import { folded, html, tableHtml } from "../page/html.ts";
import { type Context, type Section, section } from "./section.ts";

/** The certificate; null without one. */
export async function certificateSection(context: Context): Promise<Section | null> {
  const { run, artist, prefix } = context;
  const { certificate } = run;
  if (!certificate) return null;
  const { scopes, settings, data, assumptions, silentOn, adapter, issued } = certificate;
  const [all] = scopes;
  const bounds = await artist.figure({
    id: `${prefix}bounds`,
    title: "Bounds on the violation probability of the mixture",
    spec: boundsChart(all, settings.limit),
    caption:
      "Only bounds that assume nothing beyond the certificate's common ground may be certified; the smallest of them is. Those printed in the paper (Eq. 28, 33, 34, 36) are valid and looser: they add slack to the exact form.",
    table: {
      caption: "Bounds on V",
      head: ["bound", "from", "value", "needs beyond the common ground"],
      rows: all.bounds.map(({ name, source, value, assumes }) => [
        name,
        source,
        value === null ? "undefined" : percentUp(value),
        assumes.join("; ") || "nothing",
      ]),
      numbers: [2],
    },
  });
  const chain = await artist.figure({
    id: `${prefix}chain`,
    title: "The chain of the exact bound",
    spec: waterfallChart(all),
    caption:
      "Each step is an exact upper limit of what is left: proposals that are unsafe, those that world model and projection let through, those that no pattern catches. Limits are drawn, not rates, and all hold together.",
    table: {
      caption: "The chain of the exact bound",
      head: ["step", "before: at most", "after: at most"],
      rows: chainOf(all).map(({ name, from, to }) => [name, percentUp(from), percentUp(to)]),
    },
  });
  return section(
    context,
    "certificate",
    "Certificate",
    html`<p>${certificate.statement} ${
      certificate.granted ? "It was granted" : "It was not granted"
    }: the limit is ${percentUp(settings.limit)}. ${all.estimates[0].n} dialogues of ${
      data.source === "nursery" ? `the split "${data.split}", which training never saw` : "a file"
    }, judged by ${certificate.judge.name}; issued ${issued.slice(0, 10)} on ${adapter}.</p>
${
      tableHtml({
        caption: "How often it violates",
        head: ["dialogues", "violations", "rate", "certified: at most"],
        rows: scopes.map((scope) => scopeRow(scope)),
      })
    }
${bounds}
${chain}
${
      folded(
        `${prefix}certificate-small`,
        "What the certificate rests on, and what it does not say",
        html`<p>It rests on these:</p><ul>${assumptions.map((line) => html`<li>${line}</li>`)}</ul>
<p>It says nothing about these:</p><ul>${silentOn.map((line) => html`<li>${line}</li>`)}</ul>
${
          tableHtml({
            caption: "What was measured, over all mixes",
            head: ["quantity", "k / n", "rate", "exact limit"],
            rows: all.estimates.map(({ quantity, k, n, rate, side, limit }) => [
              MEANINGS[quantity as Quantity] ?? quantity,
              `${k} / ${n}`,
              percentText(rate, 2),
              `${side === "upper" ? "≤" : "≥"} ${percentText(limit, 2)}`,
            ]),
          })
        }`,
      )
    }`,
  );
}

function scopeRow({ scope, estimates: [violation], certified }: Scope): string[] {
  return [
    scope === "all" ? "all mixes" : scope,
    `${violation.k} / ${violation.n}`,
    percentText(violation.rate, 2),
    percentUp(certified),
  ];
}
