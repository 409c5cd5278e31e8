/**
 * A headless Chromium driven over its DevTools protocol: opens pages, hears their console, takes pictures. No driver library.
 */
import { join } from "node:path";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--hide-scrollbars",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
  "--remote-debugging-port=0",
];

/** How a page is seen. */
export interface Look {
  /** The reader's choice. */
  readonly scheme: "light" | "dark";
  /** Width of the window in pixels. */
  readonly width: number;
  /** `print` as on paper. */
  readonly media?: "screen" | "print";
}

/** A reply of the protocol, or an event. */
interface Message {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  // deno-lint-ignore no-explicit-any
  readonly params?: any;
  // deno-lint-ignore no-explicit-any
  readonly result?: any;
  readonly error?: { readonly message: string };
}

/** A running browser with one tab. Dispose it. */
export class Browser implements AsyncDisposable {
  /** Errors and warnings of the page's console, exceptions, failed requests; emptied by `open`. */
  readonly complaints: string[] = [];
  /** Addresses that the page asked for. */
  readonly requests: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #socket: WebSocket;
  readonly #folder: string;
  readonly #waiting = new Map<number, PromiseWithResolvers<Message>>();
  readonly #events = new Map<string, PromiseWithResolvers<void>>();
  #session = "";
  #next = 1;

  private constructor(process: Deno.ChildProcess, socket: WebSocket, folder: string) {
    this.#process = process;
    this.#socket = socket;
    this.#folder = folder;
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
  }

  /** Starts a browser. */
  static async start(path: string): Promise<Browser> {
    const folder = await Deno.makeTempDir({ prefix: "infant-browser-" });
    const process = new Deno.Command(path, {
      args: [...FLAGS, `--user-data-dir=${folder}`, "about:blank"],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const socket = new WebSocket(await endpoint(join(folder, "DevToolsActivePort")));
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    const browser = new Browser(process, socket, folder);
    const { targetId } = await browser.#send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.#send("Target.attachToTarget", { targetId, flatten: true });
    browser.#session = sessionId;
    for (const domain of ["Page", "Runtime", "Log", "Network"]) {
      await browser.#send(`${domain}.enable`);
    }
    return browser;
  }

  /** Opens a page and waits until it is loaded. */
  async open(url: string): Promise<void> {
    this.complaints.length = 0;
    this.requests.length = 0;
    const loaded = this.#event("Page.loadEventFired");
    await this.#send("Page.navigate", { url });
    await loaded;
  }

  /** Shows the page in another way. */
  async look({ scheme, width, media = "screen" }: Look): Promise<void> {
    await this.#send("Emulation.setDeviceMetricsOverride", {
      ...{ width, height: 900, deviceScaleFactor: 1, mobile: false },
    });
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.#send("Emulation.setEmulatedMedia", { media, features });
  }

  /** A picture of the page, as PNG: all of it, or a part from `top`. */
  async picture(part?: { readonly top: number; readonly height: number }): Promise<Uint8Array> {
    const { cssContentSize: { width, height } } = await this.#send("Page.getLayoutMetrics");
    const clip = { x: 0, y: part?.top ?? 0, width, height: part?.height ?? height, scale: 1 };
    const options = { format: "png", captureBeyondViewport: true, clip };
    const { data } = await this.#send("Page.captureScreenshot", options);
    return Uint8Array.fromBase64(data);
  }

  /** The page as a PDF. */
  async pdf(): Promise<Uint8Array> {
    const { data } = await this.#send("Page.printToPDF", { printBackground: true });
    return Uint8Array.fromBase64(data);
  }

  /** What an expression in the page comes to, as JSON. */
  // deno-lint-ignore no-explicit-any
  async evaluate(expression: string): Promise<any> {
    const options = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", options);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? expression);
    return result.value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    this.#process.kill("SIGTERM");
    await this.#process.status;
    // Helper processes may write for a moment after the browser has ended.
    for (let attempt = 1; attempt <= 20; attempt++) {
      const removed = await Deno.remove(this.#folder, { recursive: true })
        .then(() => true, () => false);
      if (removed) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  // deno-lint-ignore no-explicit-any
  async #send(method: string, params: object = {}): Promise<any> {
    const id = this.#next++;
    const answer = Promise.withResolvers<Message>();
    this.#waiting.set(id, answer);
    const sessionId = this.#session || undefined;
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    const { result, error } = await answer.promise;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  #event(method: string): Promise<void> {
    const event = Promise.withResolvers<void>();
    this.#events.set(method, event);
    return event.promise;
  }

  #hear({ id, method, params, result, error }: Message): void {
    if (id !== undefined) {
      this.#waiting.get(id)?.resolve({ result, error });
      this.#waiting.delete(id);
    }
    if (method === undefined) return;
    this.#events.get(method)?.resolve();
    if (method === "Network.requestWillBeSent") this.requests.push(params.request.url);
    if (method === "Log.entryAdded") this.complaints.push(params.entry.text);
    if (method === "Runtime.exceptionThrown") {
      this.complaints.push(
        params.exceptionDetails.exception?.description ?? params.exceptionDetails.text,
      );
    }
    if (method === "Runtime.consoleAPICalled" && params.type !== "log") {
      this.complaints.push(params.args.map((arg: { value?: unknown }) => arg.value).join(" "));
    }
  }
}

/** The address that a browser writes into a file once it listens. */
async function endpoint(file: string): Promise<string> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const text = await Deno.readTextFile(file).catch(() => "");
    const [port, path] = text.split("\n");
    if (path) return `ws://127.0.0.1:${port}${path}`;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("Chromium did not start within 30 s");
}
