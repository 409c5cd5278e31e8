import { InputError } from "../../../kernels/errors.ts";
import { openDataset } from "../../../workflows/data/mod.ts";
import { parseHubName } from "../../../workflows/data/read/hub.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";
import { collect, gzip, withFolder } from "./helpers.ts";
import { startHub } from "./stand_in_hub.ts";

const text = (s: string) => new TextEncoder().encode(s);

Deno.test("hub names are taken apart", () => {
  assertEquals(parseHubName("Anthropic/hh-rlhf"), {
    name: "Anthropic/hh-rlhf",
    revision: null,
    split: null,
  });
  assertEquals(parseHubName("a/b@v1.0:test"), { name: "a/b", revision: "v1.0", split: "test" });
  for (const bad of ["a", "/a/b", "a/b/c", "../a", "a/b:", "a/b@"]) {
    assertEquals(parseHubName(bad), null);
  }
});

Deno.test("a hub data set is downloaded once, by split and subset, and read again without the hub", () =>
  withFolder(async (cacheDir) => {
    const hub = startHub({
      "README.md": text("# set"),
      "good/train.jsonl.gz": await gzip('{"text":"good train"}\n'),
      "good/test.jsonl.gz": await gzip('{"text":"good test"}\n'),
      "bad/train-00000-of-00001.jsonl": text('{"text":"bad train"}\n'),
    });
    const warnings: string[] = [];
    const options = {
      hubUrl: hub.url,
      cacheDir,
      warn: (message: string) => warnings.push(message),
    };
    const texts = async (name: string, more = {}) =>
      (await collect(await openDataset(name, { ...options, ...more }))).map((row) =>
        row.values.text
      );
    try {
      assertEquals(await texts("org/set:test"), ["good test"]);
      assertEquals(await texts("org/set"), ["bad train", "good train"]);
      assertEquals(await texts("org/set", { subset: "good" }), ["good train"]);
      const downloads = () =>
        hub.requests.filter((path) => path.endsWith("good/train.jsonl.gz")).length;
      const before = downloads();
      assertEquals(await texts("org/set@main", { subset: "good" }), ["good train"]);
      assertEquals(downloads(), before, "a cached file is not asked for again");
      await assertRejects(() => texts("org/set:validation"), InputError, "splits train, test");
      await assertRejects(() => texts("org/other"), InputError, "check the name and revision");
    } finally {
      await hub.stop();
    }
    assertEquals(warnings, []);
    assertEquals(await texts("org/set:test"), ["good test"]);
    assert(warnings[0].includes("read from the cache (0123456789ab)"), warnings[0]);
    for await (const entry of Deno.readDir(`${cacheDir}/org--set`)) {
      assert(!entry.name.startsWith(".part"), "no partial file is left");
    }
  }));

Deno.test("offline without a cache: one line that says to pass a path", () =>
  withFolder(async (cacheDir) => {
    const hub = startHub({});
    await hub.stop();
    const error = await assertRejects(
      () => openDataset("org/set", { hubUrl: hub.url, cacheDir }),
      InputError,
      "pass the path of a local copy",
    );
    assert(!error.message.includes("\n"));
  }));

Deno.test({
  name: "without the permission to use the network: the same advice",
  permissions: { net: false, read: true, write: true, env: true },
  fn: () =>
    withFolder(async (cacheDir) => {
      await assertRejects(
        () => openDataset("org/set", { hubUrl: "http://127.0.0.1:1234", cacheDir }),
        InputError,
        "pass the path of a local copy",
      );
    }),
});

Deno.test("a file name that would leave the cache folder is refused", () =>
  withFolder(async (cacheDir) => {
    const hub = startHub({ "../../train.jsonl": text('{"text":"x"}\n') });
    try {
      await assertRejects(
        () => openDataset("org/set", { hubUrl: hub.url, cacheDir }),
        InputError,
        "unusable commit or file name",
      );
    } finally {
      await hub.stop();
    }
  }));
