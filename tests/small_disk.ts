/** File systems of a test's own, where the user may mount one. */

const run = (...args: string[]) => new Deno.Command(args[0], { args: args.slice(1) }).output();

/** Ends the name of a test that is skipped where nothing can be mounted. */
export const CANNOT_MOUNT = " (skipped: this user may not mount a small disk)";

/** A mounted file system; `release` unmounts and removes it. */
export interface Disk {
  readonly folder: string;
  release(): Promise<void>;
}

/** Mounts an empty file system of `kib` KiB; null where this user may not. */
export async function mountDisk(kib: number): Promise<Disk | null> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return null;
  const folder = await Deno.makeTempDir();
  const { success } = await run("mount", "-t", "tmpfs", "-o", `size=${kib}k`, "tmpfs", folder);
  const release = async () => {
    if (success) await run("umount", folder);
    await Deno.remove(folder);
  };
  if (success) return { folder, release };
  await release();
  return null;
}

/** Makes a mounted disk read-only. */
export async function makeReadOnly(disk: Disk): Promise<void> {
  await run("mount", "-o", "remount,ro", disk.folder);
}
