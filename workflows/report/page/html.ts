/**
 * HTML from templates in which every value is text unless it was built as HTML: nothing has to be remembered to be escaped.
 */

/** Text that is HTML already. */
export class Html {
  /** The markup. */
  readonly markup: string;

  /** Trusts `markup`. */
  constructor(markup: string) {
    this.markup = markup;
  }

  /** The markup. */
  toString(): string {
    return this.markup;
  }
}

/** What may stand in a template; `null` and `false` leave nothing. */
export type Content = Html | string | number | null | undefined | false | readonly Content[];

/** Escapes text for elements and for quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}

function markupOf(content: Content): string {
  if (content === null || content === undefined || content === false) return "";
  if (content instanceof Html) return content.markup;
  if (Array.isArray(content)) return content.map(markupOf).join("");
  return escapeHtml(String(content));
}

/** HTML with values in it; values are escaped, HTML and lists of it are not. */
export function html(literals: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(
    literals.reduce((all, literal, i) => all + markupOf(values[i - 1]) + literal),
  );
}

/** An id for use in `id` and `href`, from words. */
export function slug(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-+|-+$/g, "") || "x";
}

/** A heading of level 1 to 6. */
export function heading(level: number, content: Content, id?: string): Html {
  const tag = new Html(`h${Math.min(6, Math.max(1, level))}`);
  return id === undefined
    ? html`<${tag}>${content}</${tag}>`
    : html`<${tag} id="${id}">${content}</${tag}>`;
}

/** A table: its caption is its accessible name; entries of the columns in `numbers` are set right. */
export interface Table {
  /** What it shows. */
  readonly caption: string;
  /** Heads of the columns. */
  readonly head: readonly string[];
  /** Rows; the first entry of each names it. */
  readonly rows: readonly (readonly Content[])[];
  /** Columns of numbers; default: all but the first. */
  readonly numbers?: readonly number[];
  /** Ids of rows, where they are linked to. */
  readonly ids?: readonly (string | undefined)[];
  /** The caption is for readers who do not see the heading before the table. */
  readonly quiet?: boolean;
}

/** A table that scrolls sideways where the page is narrow. */
export function tableHtml({ caption, head, rows, numbers, ids, quiet }: Table): Html {
  const isNumber = (i: number) => numbers ? numbers.includes(i) : i > 0;
  const align = (i: number) => isNumber(i) && new Html(' class="n"');
  const lines = rows.map((row, r) =>
    html`
      <tr${ids?.[r] && html`
        id="${ids[r]}"
      `}>${row.map((cell, i) =>
        i === 0 ? html`<th scope="row">${cell}</th>` : html`<td${align(i)}>${cell}</td>`
      )}</tr>
    `
  );
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="${caption}">
      <table>
        <caption${quiet && new Html(' class="quiet"')}>${caption}</caption>
    <thead><tr>${head.map((name, i) =>
      html`
        <th scope="col" ${align(i)}>${name}</th>
      `
    )}</tr></thead>
    <tbody>
    ${lines}</tbody></table></div>
  `;
}

/** A folded part of a page. `id` keeps it open when a live page is refreshed. */
export function folded(id: string, summary: Content, content: Content): Html {
  return html`<details id="${id}"><summary>${summary}</summary>
${content}
</details>`;
}
