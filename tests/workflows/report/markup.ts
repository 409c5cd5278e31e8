/**
 * Enough of an HTML reader to check a generated page: elements with their attributes, in order, and a complaint where they do not nest.
 */

/** An element of a page. */
export interface Element {
  readonly tag: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** Tags of the elements around it, from the outermost. */
  readonly within: readonly Element[];
  /** All text inside, markup taken out. */
  text: string;
}

const VOID = new Set(["meta", "link", "br", "img", "hr", "input"]);

/** The elements of a page. @throws where a tag is closed that is not open. */
export function elementsOf(page: string): Element[] {
  const all: Element[] = [];
  const open: Element[] = [];
  // Scripts and styles hold no markup.
  const bare = page.replaceAll(/(<(style|script)\b[^>]*>)[\s\S]*?(<\/\2>)/g, "$1$3");
  for (const [token, comment, slash, tag, rest, text] of bare.matchAll(TOKEN)) {
    if (comment) continue;
    if (text !== undefined) {
      for (const element of open) element.text += unescape(text);
    } else if (slash) {
      const last = open.pop();
      if (last?.tag !== tag) throw new Error(`${token} closes <${last?.tag}>`);
    } else {
      const attributes = new Map(
        [...rest.matchAll(/([\w:-]+)(?:="([^"]*)")?/g)]
          .map(([, name, value]) => [name, unescape(value ?? "")]),
      );
      const element = { tag, attributes, within: [...open], text: "" };
      all.push(element);
      if (!VOID.has(tag) && !rest.endsWith("/")) open.push(element);
    }
  }
  if (open.length > 0) throw new Error(`<${open.map(({ tag }) => tag).join("> <")}> stays open`);
  return all;
}

const TOKEN = /(<!--[\s\S]*?-->|<!doctype html>)|<(\/?)([\w:-]+)((?:[^<>"]|"[^"]*")*)>|([^<]+)/g;

function unescape(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'").replaceAll("&amp;", "&");
}
