/**
 * BullMQ on Redis, loaded when it is asked for: the part of its interface that sweeps use, and the names both ends agree on.
 *
 * The packages are no dependencies of the toolkit. Their specifiers are data here, so that Deno fetches them when this is called.
 */
import { InputError } from "../../kernels/errors.ts";

/** A job as BullMQ gives it. */
export interface Job {
  /** The point's key. */
  readonly id: string;
  /** What was put into the queue. */
  readonly data: unknown;
  /** When it ended; absent: it has not. */
  readonly finishedOn?: number;
  /** What the worker returned. */
  readonly returnvalue: unknown;
  /** Why it failed; absent: it has not. */
  readonly failedReason?: string;
  /** What the worker told last. */
  readonly progress: unknown;
  /** Tells how far it is. */
  updateProgress(progress: object): Promise<void>;
  /** Puts a failed job back. */
  retry(): Promise<void>;
  /** Gives the job back to the queue; `WaitingError` must be thrown after that. */
  moveToWait(token?: string): Promise<unknown>;
}

/** The sending end. */
export interface Queue {
  addBulk(jobs: readonly { name: string; data: unknown; opts: object }[]): Promise<unknown>;
  getJob(id: string): Promise<Job | undefined>;
  on(event: "error", listener: (error: Error) => void): void;
  close(): Promise<void>;
}

/** The receiving end. */
export interface QueueWorker {
  on(event: "error", listener: (error: Error) => void): void;
  on(event: "completed" | "failed" | "active", listener: (job: Job | undefined) => void): void;
  close(force?: boolean): Promise<void>;
}

/** What is used of the package. */
export interface BullMq {
  readonly Queue: new (name: string, options: object) => Queue;
  readonly Worker: new (
    name: string,
    process: (job: Job, token?: string) => Promise<unknown>,
    options: object,
  ) => QueueWorker;
  readonly UnrecoverableError: new (message: string) => Error;
  readonly WaitingError: new () => Error;
}

/**
 * In this order. BullMQ asks for any newer msgpackr-extract, an optional accelerator of which some registries lack platforms: Deno
 * takes the version that is loaded already. ioredis is its driver.
 */
const PACKAGES = [
  ["npm:msgpackr-extract@3.0.4/package.json", { with: { type: "json" } }],
  ["npm:ioredis@5.8.2", {}],
  ["npm:bullmq@6.7.0", {}],
] as const;

/** Name of the queue when none is given. */
export const QUEUE = "infant-sweep";

/** A Redis that answers, and BullMQ. */
export interface Connected {
  readonly bull: BullMq;
  /** Options of every queue and worker. */
  readonly options: { readonly connection: object };
}

/** How long a first answer may take. */
const FIRST_ANSWER_MS = 5000;

/**
 * Loads BullMQ and makes sure that a Redis answers; later losses of the connection are waited out.
 * @throws {InputError} when the address is wrong or nobody answers there.
 */
export async function connect(url: string): Promise<Connected> {
  const address = redisAddress(url);
  const modules: unknown[] = [];
  try {
    for (const [name, options] of PACKAGES) modules.push(await import(name as string, options));
  } catch (error) {
    throw new InputError(`BullMQ cannot be loaded from npm: ${(error as Error).message}`);
  }
  const [, { default: Redis }, bull] = modules as [
    unknown,
    { default: new (options: object) => Redis },
    BullMq,
  ];
  const probe = new Redis({
    ...address,
    lazyConnect: true,
    connectTimeout: FIRST_ANSWER_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let reason = "";
  probe.on("error", (error) => reason ||= error.message);
  try {
    await probe.connect();
    await probe.ping();
  } catch (error) {
    throw new InputError(
      `Redis at ${url} cannot be reached (${reason || (error as Error).message}): ` +
        "start one (redis-server), or name another with --redis redis://HOST:PORT",
    );
  } finally {
    probe.disconnect();
  }
  // null: a command waits for Redis to come back instead of failing.
  return { bull, options: { connection: { ...address, maxRetriesPerRequest: null } } };
}

interface Redis {
  on(event: "error", listener: (error: Error) => void): void;
  connect(): Promise<void>;
  ping(): Promise<string>;
  disconnect(): void;
}

function redisAddress(url: string): object {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (!parsed || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === "") {
    throw new InputError(`--redis must be redis://HOST:PORT, found "${url}"`);
  }
  const { hostname, port, username, password, pathname, protocol } = parsed;
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || 6379),
    username: decodeURIComponent(username) || undefined,
    password: decodeURIComponent(password) || undefined,
    db: Number(pathname.slice(1) || 0),
    tls: protocol === "rediss:" ? {} : undefined,
  };
}

/** Errors that no retry helps carry this mark, so that the sending end can tell them from crashes. */
export const BAD_INPUT = "bad input: ";
