/** Sweeps over a queue: workers die, Redis is restarted or forgets, and the results are those of one process. */
import { join } from "node:path";
import { assert, assertEquals } from "../../assert.ts";
import {
  command,
  ended,
  FAKE,
  fakeSweep,
  inFolder,
  pointsIn,
  resultsIn,
  run,
  until,
} from "./helpers.ts";

const SERVER = await new Deno.Command("redis-server", { args: ["--version"] }).output()
  .then(({ success }) => success, () => false);

/** A test that needs a Redis of its own. */
function redisTest(name: string, fn: () => Promise<void>): void {
  if (SERVER) Deno.test(name, fn);
  else Deno.test({ name: `${name} (skipped: redis-server is not installed)`, ignore: true, fn });
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A Redis that can be restarted, with what it knew (`keeps`) or without. */
class Redis implements AsyncDisposable {
  readonly port = freePort();
  readonly url = `redis://127.0.0.1:${this.port}`;
  readonly #args: string[];
  #child: Deno.ChildProcess | null = null;

  constructor(folder: string, { keeps }: { readonly keeps: boolean }) {
    const port = ["--port", `${this.port}`, "--bind", "127.0.0.1"];
    this.#args = [...port, "--dir", folder, "--save", "", "--appendonly", keeps ? "yes" : "no"];
  }

  async start(): Promise<this> {
    const options = { args: this.#args, stdout: "null", stderr: "null" } as const;
    this.#child = new Deno.Command("redis-server", options).spawn();
    await until("Redis answers", () =>
      Deno.connect({ hostname: "127.0.0.1", port: this.port })
        .then((connection) => {
          connection.close();
          return true;
        }, () => false));
    return this;
  }

  async stop(): Promise<void> {
    this.#child?.kill("SIGTERM");
    await this.#child?.status;
    this.#child = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Workers of one test; what is still running at its end is ended. */
class Workers implements AsyncDisposable {
  readonly #children: Deno.ChildProcess[] = [];

  start({ url }: Redis, out: string, ...more: string[]): Deno.ChildProcess {
    const args = ["--redis", url, "--out", out, "--lock-seconds", "2", ...more];
    const child = command("sweep_worker", [...args, "--json"]).spawn();
    this.#children.push(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended already.
      }
      await Promise.all([child.stdout, child.stderr].map((s) => s.locked ? null : s.cancel()));
      await child.status;
    }
  }
}

const unfinished = (folder: string) =>
  pointsIn(folder).filter((key) => !resultsIn(folder).has(key));

async function write(folder: string, search: object, more: object = {}): Promise<string> {
  const path = join(folder, "sweep.yaml");
  await Deno.writeTextFile(path, fakeSweep(search, more));
  return path;
}

redisTest(
  "a worker killed twice and Redis restarted: every point once, the bytes of one process",
  async () => {
    await inFolder(async (folder) => {
      // The last point holds its thread for longer than a lock lasts, as waiting for a GPU does.
      const list = [
        ...[0, 0.3, 0.6, 0.9, 1.2, 1.5].map((lambda) => ({ lambda, ms: 600 })),
        { lambda: 0.8, block: 4000 },
      ];
      const path = await write(folder, { list });
      const whole = join(folder, "whole");
      assertEquals((await run("sweep", "--config", path, "--out", whole)).code, 0);
      const expected = resultsIn(whole);
      assertEquals(expected.size, 14);

      await using redis = await new Redis(folder, { keeps: true }).start();
      await using workers = new Workers();
      const out = join(folder, "out");
      const sweep = command("sweep", [
        ...["--config", path, "--out", out, "--engine", "bullmq", "--redis", redis.url, "--json"],
      ]).spawn();
      const end = ended(sweep);
      const [a, b] = [join(folder, "a"), join(folder, "b")];
      workers.start(redis, b, "--point", FAKE);
      for (let kills = 0; kills < 2; kills++) {
        const before = resultsIn(a).size;
        const child = workers.start(redis, a, "--point", FAKE);
        // In the middle of a point, after it has done one.
        await until(
          "a point begun",
          () => resultsIn(a).size > before && unfinished(a).length > kills,
        );
        child.kill("SIGKILL");
        await child.status;
        assertEquals(unfinished(a).length, kills + 1);
      }
      await redis.stop();
      await redis.start();
      workers.start(redis, join(folder, "c"), "--point", FAKE);
      const { code, json, stderr } = await end;
      assertEquals(code, 0, stderr);
      assertEquals(json.points, { done: 14, planned: 14 });
      assertEquals(resultsIn(out), expected);
      assertEquals(
        await Deno.readTextFile(join(out, "front.json")),
        await Deno.readTextFile(join(whole, "front.json")),
      );
      // Only what a worker had computed when it died, and could not say any more, may be there twice.
      const computed = [a, b, join(folder, "c")].flatMap((place) => [...resultsIn(place).keys()]);
      const twice = computed.length - new Set(computed).size;
      assert(new Set(computed).size === 14 && twice <= 2, `${twice} points were computed twice`);
    });
  },
);

redisTest(
  "a Redis that forgets everything is told again; a stopped worker gives its point back",
  async () => {
    await inFolder(async (folder) => {
      const path = await write(folder, { grid: { lambda: [0, 0.5, 1], ms: [700] } });
      await using redis = await new Redis(folder, { keeps: false }).start();
      await using workers = new Workers();
      const out = join(folder, "out");
      const args = ["--config", path, "--out", out, "--engine", "bullmq", "--redis", redis.url];
      const end = ended(command("sweep", [...args, "--json"]).spawn());
      // Both compute in one folder, where the sweep's results go too.
      const first = workers.start(redis, out, "--point", FAKE);
      await until("a point begun", () => resultsIn(out).size >= 1 && unfinished(out).length >= 1);
      first.kill("SIGINT");
      const { code, json } = await ended(first);
      assertEquals([code, json.computed], [0, resultsIn(out).size]);
      await redis.stop();
      await redis.start();
      workers.start(redis, out, "--point", FAKE);
      const { json: swept, stderr } = await end;
      assertEquals(swept.points, { done: 6, planned: 6 }, stderr);
      assertEquals(resultsIn(out).size, 6);
    });
  },
);

redisTest(
  "what a worker does not have or trust is refused in one line, what fails is tried three times",
  async () => {
    await inFolder(async (folder) => {
      await using redis = await new Redis(folder, { keeps: false }).start();
      await using workers = new Workers();
      const sweep = async (name: string, search: object) => {
        const path = await write(folder, search, { seeds: [0] });
        const engine = ["--engine", "bullmq", "--redis", redis.url, "--queue", name];
        return await run("sweep", "--config", path, "--out", join(folder, name), ...engine);
      };
      workers.start(redis, join(folder, "a"), "--queue", "none");
      const refused = await sweep("none", { list: [{ lambda: 1 }] });
      assertEquals(refused.code, 2);
      assert(refused.json.error.includes(`start it with --point ${FAKE} if you trust that file`));

      const other = join(folder, "other.ts");
      await Deno.writeTextFile(other, "export default () => ({ validation: {} });");
      workers.start(redis, join(folder, "a"), "--queue", "other", "--point", other);
      const differs = await sweep("other", { list: [{ lambda: 1 }] });
      assertEquals(differs.code, 2);
      assert(differs.json.error.includes("bring both to the same version"));

      const worker = workers.start(
        redis,
        join(folder, "a"),
        ...["--queue", "fails", "--point", FAKE, "--idle-seconds", "4"],
      );
      const failed = await sweep("fails", {
        list: [{ lambda: 1, fail: "no luck" }, { lambda: 0.5 }],
      });
      assertEquals([failed.code, failed.json.points], [1, { done: 1, planned: 2 }]);
      assertEquals(Object.values(failed.json.failed), ["no luck"]);
      const { stderr, json } = await ended(worker);
      assertEquals([stderr.split("fail=no luck seed=0: begun").length - 1, json.computed], [3, 1]);
    });
  },
);

Deno.test("a Redis that is not there, or an address that is none, is told in one line", async () => {
  const url = `redis://127.0.0.1:${freePort()}`;
  for (
    const [address, line] of [
      [url, `Redis at ${url} cannot be reached (connect ECONNREFUSED`],
      ["localhost:6379", '--redis must be redis://HOST:PORT, found "localhost:6379"'],
    ]
  ) {
    const { code, stderr } = await run("sweep_worker", "--redis", address);
    assertEquals([code, stderr.trimEnd().split("\n").length], [2, 1]);
    assert(stderr.includes(line), stderr);
  }
});
