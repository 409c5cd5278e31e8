/**
 * Runs test files in headless Chromium, whose WGSL compiler (Tint) is not the one of Deno (naga).
 *
 * `deno bundle` makes one script of each file, a local server hands them to a page, and the page posts its reports back: no
 * driver library is needed. Chromium's own SwiftShader computes, so the result does not depend on the machine's GPU.
 */
import { dirname, join } from "node:path";
import type { Report } from "./reports.ts";

const ROOT = new URL("../", import.meta.url);
const RUNNER = "browser/page/runner";
const ASSERT = "browser/page/node_assert";

/** Silence after which the page counts as stuck; the slowest single test, a whole policy to compile, takes 40 s of a core. */
const SILENCE_MS = 300_000;

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--disable-gpu-watchdog", // it ends a GPU process that compiles for long, as on a busy machine
  "--no-first-run",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

const PAGE = `<!doctype html>
<title>tests</title>
<script type="importmap">{"imports": {"node:assert/strict": "/${ASSERT}.js"}}</script>
<script type="module" src="/${RUNNER}.js"></script>`;

/** Path of an installed Chromium or Chrome, or null. */
export function findChromium(): string | null {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
      const path = join(folder, name);
      try {
        if (Deno.statSync(path).isFile) return path;
      } catch {
        // Not in this folder.
      }
    }
  }
  return null;
}

/**
 * Bundles `files` (paths under tests/) and the page's own scripts into `folder`. What files share is in scripts of its own, the harness
 * with its device too, so that a pipeline that several files need is compiled once.
 * @returns Each file's script, and the Node module it imports that a page lacks, or null.
 */
async function bundle(
  files: readonly string[],
  folder: string,
): Promise<{ script: string; lacks: string | null }[]> {
  const sources = [...files, `${RUNNER}.ts`, `${ASSERT}.ts`];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      "--no-lock",
      "--platform=browser",
      "--code-splitting",
      `--outdir=${folder}`,
      ...sources,
    ],
    cwd: ROOT,
  }).output();
  if (!success) throw new Error(`deno bundle: ${new TextDecoder().decode(stderr)}`);
  return files.map((file) => {
    const script = file.replace(/\.ts$/, ".js");
    return { script, lacks: lackOf(join(folder, script)) };
  });
}

/** The Node module that a script, or one that it imports, asks for and a page lacks; null: none. */
function lackOf(path: string): string | null {
  const imports = Deno.readTextFileSync(path).matchAll(/(?:^import| from) "(.+)";$/gm);
  for (const [, name] of imports) {
    const lack = name.startsWith(".")
      ? lackOf(join(dirname(path), name))
      : name === "node:assert/strict"
      ? null
      : name;
    if (lack) return lack;
  }
  return null;
}

/** Serves the page, and passes on what it posts. */
function serve(
  folder: string,
  scripts: readonly string[],
  onReport: (report: Report) => void,
): Deno.HttpServer<Deno.NetAddr> {
  const script = { headers: { "content-type": "text/javascript" } };
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const path = new URL(request.url).pathname;
    if (path === "/reports") {
      onReport(await request.json());
      return new Response();
    }
    if (path === "/files.json") return Response.json(scripts);
    if (path.endsWith(".js")) return new Response(await Deno.readFile(join(folder, path)), script);
    return new Response(PAGE, { headers: { "content-type": "text/html" } });
  });
}

/**
 * Reports of the tests in `files` (paths under tests/) as they end, and at last one of kind "end".
 * @throws when the browser falls silent, or the page cannot go on.
 */
export async function* runInChromium(
  chromium: string,
  files: readonly string[],
): AsyncGenerator<Report> {
  const folder = await Deno.makeTempDir({ prefix: "infant-chromium-" });
  const reports: Report[] = [];
  let arrived = Promise.withResolvers<void>();
  try {
    const bundled = await bundle(files, join(folder, "scripts"));
    for (const { script, lacks } of bundled) {
      const name = `all of it (skipped: a page has no ${lacks})`;
      if (lacks) yield { kind: "skipped", file: script, name };
    }
    const scripts = bundled.filter(({ lacks }) => !lacks).map(({ script }) => script);
    const server = serve(join(folder, "scripts"), scripts, (report) => {
      reports.push(report);
      arrived.resolve();
    });
    const browser = new Deno.Command(chromium, {
      args: [
        ...FLAGS,
        `--user-data-dir=${join(folder, "profile")}`,
        `http://127.0.0.1:${server.addr.port}/`,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      for (let last: Report["kind"] = "test"; last !== "end";) {
        if (reports.length === 0) await before(arrived.promise, SILENCE_MS);
        arrived = Promise.withResolvers();
        for (const report of reports.splice(0)) {
          if (report.kind === "broken") throw new Error(report.error);
          yield report;
          last = report.kind;
        }
      }
    } finally {
      browser.kill("SIGTERM");
      await browser.status;
      await server.shutdown();
    }
  } finally {
    await removeFolder(folder);
  }
}

/** Removes the folder; the browser's helper processes may write to it for a moment after the browser has ended. */
async function removeFolder(folder: string): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await Deno.remove(folder, { recursive: true });
    } catch (error) {
      if (attempt === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function before(event: Promise<void>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout>;
  const silence = new Promise<never>((_, reject) => {
    const text = `Chromium has not reported anything for ${ms / 1000} s`;
    timer = setTimeout(() => reject(new Error(text)), ms);
  });
  await Promise.race([event, silence]).finally(() => clearTimeout(timer));
}
