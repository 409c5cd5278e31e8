/**
 * What the sections of a report are made of and made from.
 */
import type { Artist } from "../page/figure.ts";
import { type Content, heading, type Html, html } from "../page/html.ts";
import type { RunData } from "../run_data.ts";

/** A part of a page with a heading. */
export interface Section {
  /** Unique in the page. */
  readonly id: string;
  /** Its heading. */
  readonly title: string;
  /** The part, heading included. */
  readonly html: Html;
}

/** What a section is made from. */
export interface Context {
  /** The run. */
  readonly run: RunData;
  /** Draws. */
  readonly artist: Artist;
  /** Level of the section's heading. */
  readonly level: number;
  /** Goes before every id, so that several runs fit on one page. */
  readonly prefix: string;
}

/** Puts a section together. */
export function section(
  { prefix, level }: Pick<Context, "prefix" | "level">,
  name: string,
  title: string,
  content: Content,
): Section {
  const id = prefix + name;
  return {
    id,
    title,
    html: html`<section id="${id}" aria-labelledby="${id}-h">
${heading(level, title, `${id}-h`)}
${content}
</section>`,
  };
}
