/**
 * The live view over HTTP: what it serves, to whom, and that it tells only what is new.
 */
import { join } from "node:path";
import { InputError } from "../../../kernels/errors.ts";
import { LiveView } from "../../../workflows/report/live/server.ts";
import { watchRun } from "../../../workflows/report/live/in_worker.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../assert.ts";
import { writeRichRun } from "./fixture.ts";

/** The events of a live page, one after the other. */
async function* eventsOf(url: string, signal: AbortSignal): AsyncGenerator<
  { event: string; data: { order: string[]; parts: Record<string, string>; ended: boolean } }
> {
  const response = await fetch(url, { signal });
  let text = "";
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const [event, data] = text.slice(0, end).split("\n").map((line) =>
        line.replace(/^\w+: /, "")
      );
      yield { event, data: JSON.parse(data) };
    }
  }
}

const METRICS = Array.from({ length: 6 }, (_, i) =>
  JSON.stringify({
    stage: "pretrain",
    step: i + 1,
    global_step: i + 1,
    loss: 5 - i / 2,
    num_tokens: 100 * (i + 1),
  }) + "\n");

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "infant-live-" });
  await use(folder).finally(() => Deno.remove(folder, { recursive: true }));
}

Deno.test("live: waits for a run, then tells what is new and nothing else, and its end", () =>
  withFolder(async (root) => {
    const folder = join(root, "run");
    await using view = new LiveView({ folder, port: 0, pause: 20 });
    const waiting = await (await fetch(view.url)).text();
    assert(waiting.includes("Waiting for the run to begin") && waiting.includes("/live.js"));
    const stop = new AbortController();
    const events = eventsOf(`${view.url}events?state=1`, stop.signal);
    const next = async (wanted: (parts: Record<string, string>) => boolean) => {
      for (;;) {
        const { value } = await events.next();
        if (value!.event === "news" && wanted(value!.data.parts)) return value!.data;
      }
    };
    await Deno.mkdir(folder);
    await Deno.writeTextFile(join(folder, "metrics.jsonl"), METRICS.slice(0, 3).join(""));
    const begun = await next((parts) => "losses" in parts);
    assertEquals(begun.order.slice(4), ["stages", "losses", "origin"]);
    assert(begun.parts.losses.includes("<svg"));
    // Nothing new: news without parts.
    assertEquals((await next((parts) => Object.keys(parts).length === 0)).ended, false);
    await Deno.writeTextFile(join(folder, "metrics.jsonl"), METRICS.slice(3).join(""), {
      append: true,
    });
    const grown = await next((parts) => "losses" in parts);
    assert(!("stages" in grown.parts), "stages are as they were");
    assert(grown.parts.live.includes("step 6"));
    await view.finish();
    assert((await next((parts) => parts.live?.includes("Ended"))).ended);
    stop.abort();
    await events.return(undefined).catch(() => {});
  }));

Deno.test("live: whoever comes late gets all, whoever is up to date nothing twice", () =>
  withFolder(async (folder) => {
    await writeRichRun(folder);
    await using view = new LiveView({ folder, port: 0, pause: 20 });
    const page = await (await fetch(view.url)).text();
    // This run has ended: its page asks for nothing more.
    assertEquals(page.includes("live.js"), false);
    for (const [state, parts] of [[1, 0], [0, 14]]) {
      const stop = new AbortController();
      for await (
        const { event, data } of eventsOf(`${view.url}events?state=${state}`, stop.signal)
      ) {
        if (event !== "news") continue;
        assertEquals(Object.keys(data.parts).length, parts);
        break;
      }
      stop.abort();
    }
  }));

Deno.test("live: serves this machine's own address and nobody else's, under a strict policy", () =>
  withFolder(async (folder) => {
    await using view = new LiveView({ folder, port: 0 });
    const { port } = new URL(view.url);
    assertEquals(new URL(view.url).hostname, "127.0.0.1");
    const ask = async (lines: string) => {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
      await connection.write(new TextEncoder().encode(`${lines}\r\nConnection: close\r\n\r\n`));
      return await new Response(connection.readable).text();
    };
    assert((await ask("GET / HTTP/1.1\r\nHost: evil.example")).startsWith("HTTP/1.1 403"));
    assert((await ask(`POST / HTTP/1.1\r\nHost: 127.0.0.1:${port}`)).startsWith("HTTP/1.1 405"));
    const missing = await ask(`GET /../metrics.jsonl HTTP/1.1\r\nHost: localhost:${port}`);
    assert(missing.startsWith("HTTP/1.1 404"));
    const response = await fetch(view.url);
    await response.body!.cancel();
    assert(response.headers.get("content-security-policy")!.startsWith("default-src 'none'"));
    assertThrows(() => new LiveView({ folder, port: Number(port) }), InputError, "is taken");
  }));

Deno.test("live: in a thread of its own it serves, says why it cannot, and ends", () =>
  withFolder(async (folder) => {
    const lost: string[] = [];
    const watch = await watchRun(folder, 0, (text) => lost.push(text));
    assert((await (await fetch(watch.url)).text()).includes("Waiting for the run"));
    const taken = Number(new URL(watch.url).port);
    await assertRejects(() => watchRun(folder, taken, () => {}), InputError, "is taken");
    await watch.finish();
    await assertRejects(() => fetch(watch.url), TypeError);
    assertEquals(lost, []);
  }));
