/**
 * The report of a run under way, served on this machine alone.
 *
 * A page that is open asks for news by server-sent events and gets the parts that changed. Nothing is read or drawn while nobody
 * looks; while somebody does, drawing takes at most a twentieth of the time, so that training keeps the processors.
 */
import { InputError } from "../../../kernels/errors.ts";
import { evaluationsOf, outcomeOf, stagesOf } from "../facts.ts";
import { Artist } from "../page/figure.ts";
import { heading, Html, html } from "../page/html.ts";
import { contents, type Page, pageHtml } from "../page/page.ts";
import { runPage } from "../report.ts";
import { type Memory, readRunData, type RunData } from "../run_data.ts";
import { CLIENT } from "./client.ts";

/** Shortest time between two looks at the run folder, milliseconds. */
const SHORTEST_PAUSE = 1500;
/** The pause is at least this many times what the last drawing took. */
const SHARE = 20;

/** What a live view needs to know. */
export interface LiveOptions {
  /** The run folder; it may not be there yet. */
  readonly folder: string;
  /** Port on 127.0.0.1; 0: any that is free. */
  readonly port: number;
  /** Shortest time between two looks, milliseconds; for tests. */
  readonly pause?: number;
}

/** What was last drawn. */
interface State {
  /** Rises with every drawing. */
  readonly number: number;
  /** Parts of the page by their ids. */
  readonly parts: ReadonlyMap<string, string>;
  /** The whole page. */
  readonly page: Page;
  /** The run is over. */
  readonly ended: boolean;
}

/** A live view. Close it. */
export class LiveView implements AsyncDisposable {
  readonly #options: LiveOptions;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #memory: Memory = new Map();
  readonly #artist = new Artist();
  readonly #listeners = new Set<Listener>();
  #state: State | null = null;
  #look: Promise<State> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** Begins to serve. @throws {InputError} when the port is taken. */
  constructor(options: LiveOptions) {
    this.#options = options;
    try {
      this.#server = Deno.serve(
        { hostname: "127.0.0.1", port: options.port, onListen: () => {} },
        (request) => this.#answer(request),
      );
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      throw new InputError(
        `port ${options.port} is taken: choose another with --port N, or leave it out`,
      );
    }
  }

  /** Where it is served. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  /** Tells open pages that the run has ended, with its last state. */
  async finish(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#refresh(true);
  }

  /** Stops serving. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const listener of this.#listeners) listener.close();
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    // A page of another origin that gives itself this machine's address has another host's name.
    const host = request.headers.get("host")?.replace(/:\d+$/, "");
    if (host !== "127.0.0.1" && host !== "localhost") {
      return new Response("this page is for this machine alone\n", { status: 403 });
    }
    if (request.method !== "GET") return new Response(null, { status: 405 });
    if (pathname === "/events") return this.#events(Number(searchParams.get("state")));
    if (pathname === "/live.js") {
      return new Response(CLIENT, { headers: { ...SAFE, "content-type": "text/javascript" } });
    }
    if (pathname !== "/") return new Response("not found\n", { status: 404 });
    return new Response(livePage(await this.#current()), {
      headers: { ...SAFE, "content-type": "text/html; charset=utf-8" },
    });
  }

  /** The last state, or a fresh one when there is none. Who comes at the same time shares it. */
  #current(): Promise<State> {
    if (this.#state && this.#listeners.size > 0) return Promise.resolve(this.#state);
    return this.#look ??= this.#read().finally(() => this.#look = null);
  }

  async #read(ended = false): Promise<State> {
    let page = waitingPage(this.#options.folder);
    let over = ended;
    try {
      const run = await readRunData(this.#options.folder, this.#memory);
      page = await runPage(run, this.#artist);
      this.#artist.forget();
      over ||= outcomeOf(run) !== null;
      page = { ...page, banner: banner(run, over) };
    } catch (error) {
      // The folder appears when data and model are known to be good.
      if (!(error instanceof InputError)) throw error;
    }
    const number = (this.#state?.number ?? 0) + 1;
    return this.#state = { number, page, parts: partsOf(page), ended: over };
  }

  /** @param shown Number of the state that the page shows. */
  #events(shown: number): Response {
    let listener: Listener;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const parts = this.#state?.number === shown ? this.#state.parts : new Map();
        listener = new Listener(controller, parts);
        this.#listeners.add(listener);
        listener.say("hello", {});
        this.#plan(this.#options.pause ?? SHORTEST_PAUSE);
      },
      cancel: () => {
        this.#listeners.delete(listener);
      },
    });
    return new Response(stream, {
      headers: { ...SAFE, "content-type": "text/event-stream" },
    });
  }

  #plan(pause: number): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#refresh(false), pause);
  }

  /** Looks at the run and tells everybody what is new; then plans the next look. */
  async #refresh(ended: boolean): Promise<void> {
    if (this.#listeners.size === 0) return;
    const started = performance.now();
    // A file may be caught between two writes: the next look sees it whole.
    const state = await this.#read(ended).catch(() => this.#state);
    const took = performance.now() - started;
    if (state) { for (const listener of this.#listeners) listener.tell(state); }
    if (!state?.ended) this.#plan(Math.max(this.#options.pause ?? SHORTEST_PAUSE, SHARE * took));
  }
}

/** A page may load its own script and style and ask this server, nothing else. */
const SAFE: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/** An open page, and what it shows. */
class Listener {
  readonly #controller: ReadableStreamDefaultController<Uint8Array>;
  #shown: ReadonlyMap<string, string>;

  constructor(
    controller: ReadableStreamDefaultController<Uint8Array>,
    shown: ReadonlyMap<string, string>,
  ) {
    this.#controller = controller;
    this.#shown = shown;
  }

  /** Sends the parts that it does not show yet, and the order of all. */
  tell({ parts, ended }: State): void {
    const changed = [...parts].filter(([id, part]) => this.#shown.get(id) !== part);
    this.#shown = parts;
    this.say("news", { order: [...parts.keys()], parts: Object.fromEntries(changed), ended });
  }

  say(event: string, data: unknown): void {
    try {
      const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
      this.#controller.enqueue(new TextEncoder().encode(text));
    } catch {
      // The page has gone away; the stream's cancel takes the listener out.
    }
  }

  close(): void {
    try {
      this.#controller.close();
    } catch {
      // It is closed.
    }
  }
}

/** The page with the script that keeps it fresh; that of a run that is over stays as it is. */
function livePage({ page, ended, number }: State): string {
  const script = new Html(`<script type="module" src="/live.js" data-state="${number}"></script>`);
  return pageHtml({ ...page, head: ended ? undefined : script });
}

/** The page before the run has begun. */
function waitingPage(folder: string): Page {
  return {
    title: "Waiting for the run",
    opening: html`${heading(1, "Waiting for the run to begin")}
<p class="lead">Nothing is in ${folder} yet. This page fills by itself.</p>`,
    sections: [],
    footer: null,
    banner: html`<div class="live" id="live"><span>not begun</span> <span id="heard"></span></div>`,
  };
}

/** How far the run is, above everything. */
function banner(run: RunData, ended: boolean): Html {
  const last = run.metrics.at(-1);
  const stages = stagesOf(run);
  const at = stages.findIndex(({ attempts }) => last && attempts.includes(last.stage));
  const gate = evaluationsOf(run).at(-1);
  const loss = run.metrics.findLast(({ loss }) => typeof loss === "number")?.loss;
  return html`<div class="live" id="live">
<span><strong>${ended ? "Ended" : "Live"}</strong></span>
<span>${
    last ? `stage ${at + 1} of ${stages.length}, ${last.stage}, step ${last.step}` : "not begun"
  }</span>
${typeof loss === "number" && html`<span>loss ${loss.toFixed(3)}</span>`}
${
    gate && "action" in gate &&
    html`<span>last gate: ${String(gate.action).replace("_", " ")}</span>`
  }
<span id="heard"></span></div>`;
}

/** The parts that are replaced when they change: banner, opening, contents, every section. */
function partsOf({ banner, opening, sections, title }: Page): Map<string, string> {
  const markup = (content: Page["opening"]) => html`${content}`.markup;
  return new Map([
    ["title", title],
    ["live", markup(banner)],
    [
      "opening",
      markup(html`<header id="opening">
${opening}
</header>`),
    ],
    [
      "contents",
      markup(html`
        <nav aria-label="Contents" id="contents">
          <ol>${contents(sections)}</ol>
        </nav>
      `),
    ],
    ...sections.map(({ id, html: part }) => [id, part.markup] as const),
  ]);
}
