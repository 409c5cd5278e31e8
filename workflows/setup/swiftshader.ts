/**
 * SwiftShader, Google's software Vulkan driver, from the npm package `@sparticuz/chromium`.
 *
 * The package is a browser for small servers; of its 68 MB this takes the 7 MB tar that holds the driver, its
 * manifest and a Vulkan loader, and keeps them unpacked in the cache folder. The browser is never started.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { writeFolderAtomic } from "../files.ts";

/** An unpacked SwiftShader. */
export interface SwiftShader {
  /** Holds `libvulkan.so.1`. */
  readonly folder: string;
  /** The driver's manifest. */
  readonly manifest: string;
}

/**
 * Not a literal, and not in deno.json, so that it is fetched only where it is needed: Deno fetches the one when a
 * program starts and the other when a task does.
 */
const PACKAGE: string = "npm:@sparticuz/chromium@147.0.0";
const FILES = ["libvulkan.so.1", "libvk_swiftshader.so", "vk_swiftshader_icd.json"];

/**
 * Unpacks SwiftShader into `cache` unless it is there.
 * @returns null when it cannot be fetched or unpacked; `say` is told why.
 */
export async function unpackSwiftShader(
  cache: string,
  say: (line: string) => void,
): Promise<SwiftShader | null> {
  const folder = join(cache, "swiftshader");
  const result = { folder, manifest: join(folder, FILES[2]) };
  try {
    await Deno.stat(result.manifest);
    return result;
  } catch {
    // Not there yet.
  }
  say(`getting the software driver SwiftShader from npm (68 MB, once) into ${folder}`);
  try {
    await import(PACKAGE);
    const entry = fileURLToPath(import.meta.resolve(PACKAGE));
    const root = entry.slice(0, entry.lastIndexOf("/build/"));
    const packed = await Deno.readFile(join(root, "bin", "swiftshader.tar.br"));
    await writeFolderAtomic(folder, (temporary) => untar(brotliDecompressSync(packed), temporary));
    return result;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    say(`SwiftShader could not be fetched: ${reason}`);
    return null;
  }
}

async function untar(archive: Uint8Array, folder: string): Promise<void> {
  const tar = new Deno.Command("tar", {
    args: ["-x", "--no-same-owner", "-C", folder, ...FILES],
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const writer = tar.stdin.getWriter();
  await writer.write(archive);
  await writer.close();
  const { success, stderr } = await tar.output();
  if (!success) throw new Error(`tar: ${new TextDecoder().decode(stderr).trim()}`);
}
