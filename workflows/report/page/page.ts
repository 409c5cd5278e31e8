/**
 * A whole page: head, contents, sections. It refers to nothing outside itself.
 */
import type { Section } from "../sections/section.ts";
import { type Content, Html, html } from "./html.ts";
import { STYLE } from "./style.ts";

/** What a page consists of. */
export interface Page {
  /** Of the document. */
  readonly title: string;
  /** What stands before the contents, with the first heading. */
  readonly opening: Content;
  /** The sections. */
  readonly sections: readonly Section[];
  /** What stands at the end. */
  readonly footer: Content;
  /** Markup for the head, e.g. a script of a live page. */
  readonly head?: Html;
  /** What stands above everything, e.g. the state of a live page. */
  readonly banner?: Html;
}

/** The document. */
export function pageHtml({ title, opening, sections, footer, head, banner }: Page): string {
  return `<!doctype html>\n${
    html`
      <html lang="en">
        <head>
      <meta charset="utf-8">
      <title>${title}</title>
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <link rel="icon" href="data:,">
      <style>${new Html(STYLE)}</style>
      ${head}
        </head>
        <body>
      <a class="skip" href="#content">Skip to the content</a>
      ${banner}
      <header id="opening">
      ${opening}
      </header>
      <nav aria-label="Contents" id="contents"><ol>${contents(sections)}</ol></nav>
      <main id="content">
      ${sections.map(({ html: part }) =>
        html`
          ${part}
        `
      )}</main>
      <footer id="footer">${footer}</footer>
        </body>
      </html>
    `.markup
  }`;
}

/** Links to all sections. */
export function contents(sections: readonly Section[]): Content {
  return sections.map(({ id, title }) =>
    html`
      <li><a href="#${id}">${title}</a></li>
    `
  );
}
