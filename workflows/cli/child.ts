/**
 * A child process in place of this one: same terminal, same signals, same exit code.
 */

/**
 * Runs Deno with arguments to its end. Signals that would end only this process are passed on, so that the child can save
 * its work; how to answer them is the child's affair.
 * @param hear Gets what it writes, both streams; where absent, it writes to this process's.
 * @returns Its exit code; 128 + n when signal n ended it.
 */
export async function runChild(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  hear?: (written: Uint8Array) => void,
): Promise<number> {
  const stream = hear ? "piped" : "inherit";
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: { ...env },
    stdout: stream,
    stderr: stream,
  }).spawn();
  const listen = async (written: ReadableStream<Uint8Array>) => {
    for await (const bytes of written) hear!(bytes);
  };
  const heard = hear ? [listen(child.stdout), listen(child.stderr)] : [];
  const signals = Deno.build.os === "windows" ? [] : ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const listeners = signals.map((signal) => {
    const pass = () => {
      try {
        child.kill(signal);
      } catch {
        // It has ended already.
      }
    };
    Deno.addSignalListener(signal, pass);
    return () => Deno.removeSignalListener(signal, pass);
  });
  const [{ code }] = await Promise.all([child.status, ...heard]);
  listeners.forEach((remove) => remove());
  return code;
}
