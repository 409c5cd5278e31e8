/**
 * Finds the optional folder of real data and golden files beside the repository.
 *
 * Tests that need it are skipped, visibly, where it is absent; CI provides it.
 */
const root = Deno.env.get("INFANT_SHARED") ??
  new URL("../../shared", import.meta.url).pathname;

/** Path of a file in the shared folder, or null when it is not there. */
export function sharedPath(...parts: string[]): string | null {
  const path = [root, ...parts].join("/");
  try {
    Deno.statSync(path);
    return path;
  } catch {
    return null;
  }
}

/** A test that needs one file or folder of the shared data; `run` gets its path. */
export function sharedTest(
  name: string,
  parts: string[],
  run: (path: string) => void | Promise<void>,
): void {
  const path = sharedPath(...parts);
  if (path) Deno.test(name, () => run(path));
  else {
    const reason = `(skipped: ../shared/${parts.join("/")} is absent)`;
    Deno.test({ name: `${name} ${reason}`, ignore: true, fn: () => {} });
  }
}
