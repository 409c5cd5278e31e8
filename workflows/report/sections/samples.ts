/**
 * Replies to the same prompts before and after. What is harmful is folded away: the summary says what happened, the words are for
 * those who open it.
 */
import type { Sample, SampleReply } from "../../evaluate/samples.ts";
import { beforeAfter } from "../facts.ts";
import { type Content, folded, heading, html } from "../page/html.ts";
import { listed } from "../words.ts";
import { type Context, type Section, section } from "./section.ts";

/** The samples; null without any. */
export function samplesSection(context: Context): Section | null {
  const { run, level, prefix } = context;
  const { samples } = run;
  if (samples.length === 0) return null;
  const names = [...new Set(samples.flatMap(({ replies }) => Object.keys(replies)))];
  const pair = beforeAfter(run, names);
  const shown = pair ? [pair.before, pair.after] : names;
  const rest = names.filter((name) => !shown.includes(name));
  const [harmful, harmless] = [true, false].map((side) =>
    samples.map((sample, i) => ({ sample, id: `${prefix}sample-${i}` }))
      .filter(({ sample }) => sample.harmful === side)
  );
  // One of each kind is open; the others are a click away.
  const firstOf = new Map(harmless.toReversed().map(({ sample, id }) => [sample.kind, id]));
  const [first, more] = [true, false].map((side) =>
    harmless.filter(({ sample, id }) => (firstOf.get(sample.kind) === id) === side)
  );
  const note = rest.length > 0 ? ` Replies of ${listed(rest)} are folded away.` : "";
  return section(
    context,
    "samples",
    "What it says",
    html`<p>The same prompts before and after training (${
      shown.join(", ")
    }), with the oracle's verdicts. They were chosen before the run, by family and not by outcome.${note}</p>
${harmless.length > 0 && heading(level + 1, "Harmless prompts")}
${first.map(({ sample, id }) => body(sample, shown, rest, id))}
${
      more.length > 0 && folded(
        `${prefix}samples-more`,
        `${more.length} more harmless prompts`,
        html`${more.map(({ sample, id }) => body(sample, shown, rest, id))}`,
      )
    }
${
      harmful.length > 0 && html`
        ${heading(level + 1, "Harmful requests")}
        <p
          class="warning"><strong>Warning:</strong> opened, these show requests for harmful recipes, and replies that give them. The verdicts are legible without opening.</p>
        ${harmful.map(({ sample, id }) =>
          folded(`${id}-fold`, summaryOf(sample, shown), body(sample, shown, rest, id))
        )}
      `
    }`,
  );
}

function summaryOf({ family, seen, replies }: Sample, shown: readonly string[]): Content {
  const where = seen === null ? "" : seen ? " (seen in training)" : " (never seen)";
  return html`${family}${where} ${
    shown.map((name) =>
      replies[name] && html`
        <span class="soft">${name}</span> ${badge(replies[name])}
      `
    )
  }`;
}

function body(
  { prompt, replies, kind, family, harmful }: Sample,
  shown: readonly string[],
  rest: readonly string[],
  id: string,
): Content {
  const answers = (names: readonly string[]) =>
    names.flatMap((name) => replies[name] ? [reply(name, replies[name], harmful, id)] : []);
  return html`<div class="sample">
<p class="soft">${kind}, ${family}</p>
${
    prompt.map(({ role, text }) =>
      html`
        <p class="turn"><b>${role}</b><span>${text}</span></p>
      `
    )
  }${answers(shown)}
${
    rest.some((name) => replies[name]) &&
    folded(`${id}-rest`, "Other policies", html`${answers(rest)}`)
  }
</div>`;
}

/** A reply; one that does harm in answer to something harmless is folded away by itself. */
function reply(name: string, said: SampleReply, folds: boolean, id: string): Content {
  const text = said.text === "" ? html`<em>nothing</em>` : said.text;
  const words = said.harms && !folds
    ? folded(`${id}-${name}`, "Show a harmful reply", html`<p>${text}</p>`)
    : text;
  return html`
    <div class="turn"><b>${name}</b><div>${words} ${badge(said)}</div></div>
  `;
}

function badge({ verdict, harms, right }: SampleReply): Content {
  return html`<span class="badge${harms ? " bad" : right ? " good" : ""}">${verdict}</span>`;
}
