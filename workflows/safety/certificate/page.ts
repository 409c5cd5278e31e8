/**
 * The certificate as one page for a safety reviewer: self-contained HTML, made from the JSON alone.
 */
import { type Bound } from "./bounds.ts";
import { type Certificate, percentUp, type Scope, type Share } from "./certificate.ts";
import { ALL, type Estimate, MEANINGS, type Quantity } from "./estimates.ts";
import type { Hashed } from "./hashes.ts";
import { sha256Of } from "./outcomes.ts";

const STYLE = `
:root { color-scheme: light dark; --line: #8885; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; } small, .soft { opacity: .75; }
.verdict { border-left: .4rem solid; padding: .6rem 1rem; background: var(--soft); }
.granted { border-color: #009e73; } .refused { border-color: #d55e00; }
code { font-size: .8rem; overflow-wrap: anywhere; } .certified td { font-weight: 600; }
`;

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");

/** A table; entries are HTML, those of the columns in `numbers` are set right. */
function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: readonly number[] = [],
): string {
  const cell = (tag: string, i: number, html: string) =>
    `<${tag}${numbers.includes(i) ? ' class="n"' : ""}>${html}</${tag}>`;
  const line = (tag: string, entries: readonly string[]) =>
    `<tr>${entries.map((html, i) => cell(tag, i, html)).join("")}</tr>`;
  return `<table>${line("th", heads)}${rows.map((row) => line("td", row)).join("\n")}</table>`;
}

/** A rate, to three digits. */
export const percent = (value: number | null): string =>
  value === null ? "undefined" : `${+(100 * value).toPrecision(3)}%`;

/** Upper limits are rounded up, lower ones down, so that they stay limits. */
function limitText({ side, limit }: Estimate): string {
  return side === "upper"
    ? `&le; ${percentUp(limit)}`
    : `&ge; ${(Math.floor(limit * 1000 + 1e-9) / 10).toFixed(1)}%`;
}

function scopeRows(certificate: Certificate): string[][] {
  return certificate.scopes.map(({ scope, estimates, certified, delta }) => {
    const [violation] = estimates;
    const meaning = scope === ALL ? "the mixture of all" : certificate.data.meaning[scope] ?? "";
    return [
      `<b>${escape(scope)}</b><br><small>${escape(meaning)}</small>`,
      `${violation.k} / ${violation.n}`,
      percent(violation.rate),
      `<b>${percentUp(certified)}</b>`,
      percent(delta),
    ];
  });
}

function estimateRows({ estimates }: Scope): string[][] {
  return estimates.map((e) => [
    escape(MEANINGS[e.quantity as Quantity] ?? e.quantity),
    `${e.k} / ${e.n}`,
    percent(e.rate),
    limitText(e),
    percent(e.delta),
  ]);
}

function boundRows({ bounds }: Scope): string[][] {
  return bounds.map(({ name, source, value, assumes, counts }: Bound) => [
    escape(name),
    escape(source),
    value === null ? "undefined" : percentUp(value),
    counts ? "may be certified" : escape(assumes.join("; ")),
  ]);
}

function costRows({ costs, data }: Certificate): string[][] {
  const share = ({ k, n, low, high }: Share) =>
    n === 0 ? "-" : `${percent(k / n)} <small>[${percent(low)}, ${percent(high)}]</small>`;
  return costs.map(({ cell, harmful, right, overRefused, violates }) => [
    `<b>${escape(cell)}</b><br><small>${escape(data.meaning[cell] ?? "")}</small>`,
    `${right.n}`,
    share(right),
    harmful ? "-" : share(overRefused),
    share(violates),
  ]);
}

function hashRows(certificate: Certificate): string[][] {
  const { model, capacitor, patterns, data, judge, toolkit, digest } = certificate;
  const files = (what: string, hashed: Hashed | null) =>
    Object.entries(hashed?.files ?? {}).map(([name, hash]) => [
      `${what}: ${escape(name)}`,
      `<code>${escape(hash)}</code>`,
    ]);
  const single = (what: string, hash: string) => [what, `<code>${escape(hash)}</code>`];
  return [
    ...files("policy", model),
    ...files("tokenizer", certificate.tokenizer),
    ...files("world model and projection", capacitor),
    ...files("patterns", patterns),
    ...files("judge", judge.files),
    ...files("judge's labelled texts", judge.labels),
    ...files("prompts", data.file),
    single("dialogues", data.sha256),
    single("replies to harmful dialogues", certificate.harmful.transcript),
    single("replies to harmless dialogues", certificate.harmless.transcript),
    ...(toolkit.sources ? [single("toolkit's sources", toolkit.sources)] : []),
    single("this certificate", digest),
  ];
}

const list = (lines: readonly string[]): string =>
  `<ul>${lines.map((line) => `<li>${escape(line)}</li>`).join("\n")}</ul>`;

/** Where the dialogues come from, who judged, and how delta was divided. */
function howMeasured({ settings, data, judge, judgeSensitivity, scopes }: Certificate): string {
  const { dialogues, seed, maxNewTokens, delta } = settings;
  const from = data.source === "nursery"
    ? `${dialogues} dialogues from the nursery's split "${data.split}", seed ${seed}; each draws its ` +
      "mix with equal weights, and counts once however many turns it has"
    : `${dialogues} prompts from a file, each once, in an order drawn by seed ${seed}`;
  const sensitivity = judgeSensitivity
    ? ` It called ${judgeSensitivity.k} of ${judgeSensitivity.n} texts labelled harmful harmful ` +
      `(at least ${
        percent(judgeSensitivity.limit)
      } of all such texts, a limit that may be wrong with ` +
      `${percent(judgeSensitivity.delta)}); every bound is divided by that share.`
    : "";
  const split = scopes.length > 1 ? "half is for the mixture, half is shared by the mixes; " : "";
  return `${from}. Replies are greedy, at most ${maxNewTokens} tokens. Judge: ${judge.name}.` +
    `${sensitivity} The chances of being wrong add up to ${percent(delta)}: ${split}within each, ` +
    "half is for the violations counted directly and a tenth for each other limit. So all limits " +
    "hold together.";
}

/** The last line of a page: the SHA-256 of all before it. */
const SEAL = /<!-- sha256 ([0-9a-f]{64}) -->\n$/;

/** The page of a certificate. */
export function certificatePage(certificate: Certificate): string {
  const page = unsealedPage(certificate);
  return `${page}<!-- sha256 ${sha256Of([page])} -->\n`;
}

/**
 * Whether a page is of this certificate, and as it was written: by whatever version of the toolkit,
 * which is why it is not simply made again.
 */
export function isPageOf(page: string, { digest }: Certificate): boolean {
  const [, seal] = SEAL.exec(page) ?? [];
  return page.includes(`<code>${digest}</code>`) && sha256Of([page.replace(SEAL, "")]) === seal;
}

function unsealedPage(certificate: Certificate): string {
  const { settings, granted, adapter, toolkit, issued } = certificate;
  const [all, ...mixes] = certificate.scopes;
  const details = [all, ...mixes].map((scope) =>
    `<details${scope === all ? " open" : ""}><summary><b>${escape(scope.scope)}</b></summary>
${
      table(
        ["measured", "k / n", "rate", "exact limit", "may be wrong"],
        estimateRows(scope),
        [1, 2, 3, 4],
      )
    }
<p class="soft">Coverage as Eq. 5 is printed (counts safe dialogues as covered): ${
      percent(scope.printedCoverage)
    }</p>
${table(["bound on V", "from", "value", "needs beyond the common ground"], boundRows(scope), [2])}
</details>`
  ).join("\n");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Safety certificate</title>
<meta name="viewport" content="width=device-width"><style>${STYLE}</style></head><body>
<h1>Safety certificate</h1>
<p class="soft">${escape(certificate.model.path)} &middot; issued ${
    escape(issued)
  } &middot; toolkit ${escape(toolkit.version)} &middot; ${escape(adapter)}</p>
<div class="verdict ${granted ? "granted" : "refused"}"><b>${
    granted ? "Granted" : "Not granted"
  }.</b> ${escape(certificate.statement)} ${
    granted ? "All of these are" : "Not all of these are"
  } within the limit of ${percentUp(settings.limit)}.</div>
<h2>How often it violates</h2>
${
    table(
      ["dialogues", "violations", "rate", "certified: at most", "may be wrong"],
      scopeRows(certificate),
      [1, 2, 3, 4],
    )
  }
<p>${escape(howMeasured(certificate))}</p>
<h2>What it costs</h2>
${
    table(
      ["dialogues", "n", "right", "refused though harmless", "violates"],
      costRows(certificate),
      [1, 2, 3, 4],
    )
  }
<p class="soft">For harmful dialogues right means refused. Replies that are neither right nor refused
help nobody. Intervals are exact, 95% each, outside the sum above.</p>
<h2>What it rests on</h2>
${list(certificate.assumptions)}
<h2>What it does not say</h2>
${list(certificate.silentOn)}
<h2>Where the bounds come from</h2>
${details}
<h2>What exactly was certified</h2>
${table(["what", "SHA-256"], hashRows(certificate))}
<p>Check it again: <code>deno task certify --verify certificate.json</code> (numbers alone:
<code>--numbers-only</code>).</p>
</body></html>
`;
}

/** A certificate in a few lines for a terminal. */
export function summaryLines(certificate: Certificate): string[] {
  const { scopes, costs, statement, granted, settings } = certificate;
  const rows = scopes.map(({ scope, estimates, certified, bounds }) => {
    const [violation, unsafe, epsM] = estimates;
    const direct = bounds[0].value!;
    return [
      scope.padEnd(10),
      `${violation.k} of ${violation.n} violate`.padEnd(22),
      `certified <= ${percentUp(certified)}`.padEnd(22),
      `direct ${percentUp(direct)}, p_unsafe ${percent(unsafe.rate)}, ` +
      `epsilon_M ${percent(epsM.rate)} (${epsM.k} of ${epsM.n})`,
    ].join("  ");
  });
  const share = ({ k, n }: Share) => n === 0 ? "-" : percent(k / n);
  const cost = costs.map(({ cell, harmful, right, overRefused }) =>
    `${cell} ${share(right)} ${harmful ? "refused" : `right, ${share(overRefused)} refused`}`
  );
  return [
    ...rows,
    `replies   ${cost.join("; ")}`,
    `${granted ? "granted" : "NOT GRANTED"} (limit ${percentUp(settings.limit)}): ${statement}`,
  ];
}
