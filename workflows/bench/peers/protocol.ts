/**
 * A contestant behind a pipe: one JSON object a line, a request in, a reply out.
 *
 *     -> {"do": "open", "task": ...}            <- {"id": 0, "cold": ..., "answers": [...]}
 *     -> {"do": "run", "id": 0, "count": 3}     <- {"ms": ..., "cpuMs": ..., "rss": ...}
 *     -> {"do": "close", "id": 0}               <- {}
 *
 * The first line of the process says what library it is. A failure is a reply {"error": "..."}.
 */
import type { Task } from "../contest.ts";
import type { Contestant, LibraryFacts, OpenTask, Timing } from "../contestant.ts";

/** One request. */
export type Request =
  | { readonly do: "open"; readonly task: Task }
  | { readonly do: "run"; readonly id: number; readonly count: number }
  | { readonly do: "close"; readonly id: number };

/** The reply to `open`. */
interface Opened extends Pick<OpenTask, "cold" | "answers"> {
  readonly id: number;
}

/** Lines of a byte stream. */
export async function* linesOf(bytes: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const text = new TextDecoder();
  for await (const chunk of bytes) {
    const lines = (rest + text.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest) yield rest;
}

/** Answers the requests of `lines` until they end. */
export async function serve(
  contestant: Contestant,
  lines: AsyncIterable<string>,
  write: (line: string) => void,
): Promise<void> {
  const { name, version, adapter, native } = contestant;
  const tasks: OpenTask[] = [];
  const answer = async (request: Request): Promise<Opened | Timing | void> => {
    if (request.do === "run") return await tasks[request.id].run(request.count);
    if (request.do === "close") return await tasks[request.id].close();
    const open = await contestant.open(request.task);
    return { id: tasks.push(open) - 1, cold: open.cold, answers: open.answers };
  };
  write(JSON.stringify({ name, version, adapter, native }));
  for await (const line of lines) {
    try {
      write(JSON.stringify(await answer(JSON.parse(line)) ?? {}));
    } catch (error) {
      write(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
    }
  }
}

/** The other end of the pipe. */
export interface Pipe {
  /** Lines that come back. */
  readonly lines: AsyncIterator<string>;
  /** Sends a line. */
  write(line: string): Promise<void>;
  /** What the other side wrote for people, when it ends before its answer. */
  lastWords(): Promise<string>;
  /** Ends the other side. */
  end(): Promise<void>;
}

/**
 * A contestant that lives at the other end of `pipe`.
 * @throws {Error} when the other side ends, with its last words; any method does.
 */
export async function remoteContestant(name: string, pipe: Pipe): Promise<Contestant> {
  const receive = async <T>(): Promise<T> => {
    const { value, done } = await pipe.lines.next();
    if (done) throw new Error(`${name} ended: ${await pipe.lastWords()}`);
    const reply = JSON.parse(value);
    if (reply.error !== undefined) throw new Error(`${name}: ${reply.error}`);
    return reply;
  };
  const ask = async <T>(request: Request): Promise<T> => {
    await pipe.write(JSON.stringify(request));
    return await receive<T>();
  };
  const facts = await receive<LibraryFacts>();
  return {
    ...facts,
    async open(task) {
      const { id, cold, answers } = await ask<Opened>({ do: "open", task });
      return {
        cold,
        answers,
        run: (count) => ask<Timing>({ do: "run", id, count }),
        close: () => ask<void>({ do: "close", id }),
      };
    },
    end: () => pipe.end(),
  };
}
