/**
 * The adapter set-up for a process that is already running: a notebook kernel, a script of one's own.
 *
 * Commands get their environment from the launcher (`cli/main.ts`). Here the variables are set in place, which
 * works until the first `requestAdapter`, and a loader that the system lacks is loaded by its path: the dynamic
 * linker then hands it to whoever asks for `libvulkan.so.1`.
 */
import { join } from "node:path";
import { type AdapterSetup, ensureAdapter } from "./adapter.ts";

/**
 * Makes WebGPU usable in this process; call it before anything opens a device.
 * Needs the permissions to run programs, to read and set variables and, where the loader is missing, `ffi`.
 * @throws {InputError} when no adapter can be had.
 */
export async function prepareAdapter(name?: string): Promise<AdapterSetup> {
  const setup = await ensureAdapter(name, (line) => console.error(`infant: ${line}`));
  for (const [key, value] of Object.entries(setup.env)) Deno.env.set(key, value);
  if (setup.loaderFolder !== null) Deno.dlopen(join(setup.loaderFolder, "libvulkan.so.1"), {});
  return setup;
}
