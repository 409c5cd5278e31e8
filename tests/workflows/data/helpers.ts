/** Small things that the data tests share: temporary files and a tokenizer whose ids can be read. */
import type { Encoder } from "../../../workflows/data/mod.ts";

/** Runs with a temporary folder that is removed afterwards. */
export async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Bytes of a text in gzip. */
export async function gzip(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Everything an async iterable gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  return await Array.fromAsync(items);
}

/** An async iterable of given items. */
export async function* streamOf<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield item;
}

export const BOS = 1;
export const EOS = 2;

/**
 * One token a UTF-16 unit (its code), except that the letters "ab" together are token 3: enough to make
 * boundaries between prompt and reply matter.
 */
export function letterTokenizer(options: { bos?: boolean; eos?: boolean } = {}): Encoder {
  return {
    bosId: options.bos ? BOS : null,
    eosId: options.eos === false ? null : EOS,
    encode(text, { addSpecialTokens = true } = {}) {
      const ids = [...text.matchAll(/ab|[\s\S]/g)].map(([m]) => m === "ab" ? 3 : m.charCodeAt(0));
      return options.bos && addSpecialTokens ? [BOS, ...ids] : ids;
    },
  };
}

/** The letters of ids, specials as <name>. */
export function letters(ids: Iterable<number>): string {
  return [...ids].map((id) => ["<0>", "<bos>", "<eos>", "ab"][id] ?? String.fromCharCode(id)).join(
    "",
  );
}
