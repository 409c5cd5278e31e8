/**
 * A child process in place of this one: same terminal, same signals, same exit code.
 */

/**
 * Runs a program to its end. Signals that would end only this process are passed on, so that the child can save
 * its work; how to answer them is the child's affair.
 * @returns Its exit code; 128 + n when signal n ended it.
 */
export async function runChild(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), { args: [...args], env: { ...env } }).spawn();
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
  const { code } = await child.status;
  listeners.forEach((remove) => remove());
  return code;
}
