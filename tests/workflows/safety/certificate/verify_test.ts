/**
 * Verification: whatever is changed in a certificate, in what it is about or in how it comes out, is
 * found; and an honest certificate holds.
 */
import fc from "fast-check";
import { assert, assertEquals, assertThrows } from "../../../assert.ts";
import { InputError } from "../../../../kernels/errors.ts";
import {
  type Certificate,
  certificate,
  digestOf,
} from "../../../../workflows/safety/certificate/certificate.ts";
import { hashModel } from "../../../../workflows/safety/certificate/hashes.ts";
import { certificatePage, isPageOf } from "../../../../workflows/safety/certificate/page.ts";
import { parseCertificate } from "../../../../workflows/safety/certificate/read.ts";
import {
  checkHashes,
  checkNumbers,
  checkObservation,
  OTHER_ADAPTER,
} from "../../../../workflows/safety/certificate/verify.ts";
import { MADE, observed, syntheticPolicy } from "./synthetic.ts";

const RATES = { unsafe: 0.3, missed: 0.2, failed: 0.05, falseAlarm: 0.05 };
const seen = await observed(syntheticPolicy(RATES), { dialogues: 200 });
const honest = certificate(seen, MADE);
const text = JSON.stringify(honest);
const copy = (): Certificate => JSON.parse(text);

/** All that `--verify` compares, with a run that says what the first one said. */
function verify(claimed: Certificate): string[] {
  return [
    ...checkNumbers(claimed),
    ...(["model", "capacitor", "patterns"] as const).flatMap((what) =>
      checkHashes(what, claimed[what], seen[what])
    ),
    ...checkObservation(claimed, seen, MADE.adapter),
  ];
}

/** The same, of a file that may not even be read as a certificate. */
function verifyFile(claimed: Certificate): string[] {
  try {
    return verify(parseCertificate(JSON.stringify(claimed), "c.json"));
  } catch (error) {
    if (error instanceof InputError) return [error.message];
    throw error;
  }
}

/** Paths of all numbers, texts and flags of a JSON value. */
function leaves(value: unknown, path: readonly string[] = []): string[][] {
  if (value === null || typeof value !== "object") return [[...path]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
}

/** Another value of the same type, as near as can be. */
function altered(value: unknown, random: number): unknown {
  switch (typeof value) {
    case "number":
      return value === 0 ? Number.MIN_VALUE : value * (1 + 2 ** -52);
    case "boolean":
      return !value;
    case "string": {
      if (value === "") return "x";
      const at = random % value.length;
      const other = "sdDmMpPcrvx0123456789abcdef".replace(value[at], "")[random % 20];
      return value.slice(0, at) + other + value.slice(at + 1);
    }
    default:
      return "x";
  }
}

function put(certificate: Certificate, path: readonly string[], random: number): void {
  // deno-lint-ignore no-explicit-any
  let place: any = certificate;
  for (const key of path.slice(0, -1)) place = place[key];
  const last = path[path.length - 1];
  place[last] = altered(place[last], random);
}

Deno.test("certificate: the true violation rate lies under the bound, run after run", async () => {
  // Violations of one-reply dialogues: 0.3 (0.2 + 0.8 * 0.05).
  const truth = 0.3 * (0.2 + 0.8 * 0.05);
  let held = 0;
  for (let run = 0; run < 20; run++) {
    const policy = syntheticPolicy(RATES, 100 + run);
    const settings = { dialogues: 150, mixes: ["unseen"], seed: run };
    const { scopes } = certificate(await observed(policy, settings), MADE);
    const [{ certified }] = scopes;
    assert(certified > truth / 2 && certified < 4 * truth, `${certified}`);
    if (truth <= certified) held++;
  }
  // Each fails with probability 0.025 at most: 3 of 20 would be one study in 80.
  assert(held >= 18, `${held} of 20`);
});

Deno.test("certificate: a world model that went blind loses the certificate", async () => {
  const seeing = { unsafe: 0.3, missed: 0.01, failed: 0 };
  const wide = { dialogues: 1500, limit: 0.06 };
  const before = certificate(await observed(syntheticPolicy(seeing), wide), MADE);
  assert(before.granted, before.statement);
  for (const missed of [0.5, 1]) {
    const blind = await observed(syntheticPolicy({ ...seeing, missed }), wide);
    const after = certificate(blind, MADE);
    assert(!after.granted && after.scopes[0].certified > 0.1, after.statement);
  }
  const none = certificate(await observed(syntheticPolicy(seeing), { dialogues: 5 }), MADE);
  assert(!none.granted && none.scopes.some(({ certified }) => certified === 1), none.statement);
});

Deno.test("verify: an honest certificate holds, also after a trip through a file", () => {
  assertEquals(verify(honest), []);
  assertEquals(verify(parseCertificate(JSON.stringify(honest, null, 2), "c.json")), []);
});

Deno.test("verify: one changed number, letter or word anywhere is found by the digest", () => {
  fc.assert(
    fc.property(fc.constantFrom(...leaves(honest)), fc.nat(), (path, random) => {
      const changed = copy();
      put(changed, path, random);
      assert(verifyFile(changed).length > 0, path.join("."));
    }),
    { numRuns: 400 },
  );
});

/**
 * What only the issuer can know: when, where and by what; and the limit, which
 * is a wish: another one makes another certificate, just as true.
 */
const UNCHECKED = /^(issued|adapter|toolkit|digest|(model|capacitor)\.path|settings\.limit)/;

Deno.test("verify: a forger who mends the digest is found by running all of it again", () => {
  const forgeable = leaves(honest).filter((path) => !UNCHECKED.test(path.join(".")));
  fc.assert(
    fc.property(fc.constantFrom(...forgeable), fc.nat(), (path, random) => {
      const changed = copy();
      put(changed, path, random);
      const found = verifyFile({ ...changed, digest: digestOf(changed) });
      assert(found.length > 0, path.join("."));
    }),
    { numRuns: 400 },
  );
});

Deno.test("verify: a forger who recomputes every number is found by the replies", () => {
  const { harmful } = seen;
  const { episodes } = harmful.records;
  const better = { ...episodes, outcomes: episodes.outcomes.replaceAll("m", "s") };
  assert(better.outcomes !== episodes.outcomes);
  const records = { ...harmful.records, episodes: better };
  const forged = certificate({ ...seen, harmful: { ...harmful, records } }, MADE);
  assertEquals(checkNumbers(forged), []);
  const [line] = verify(forged);
  assert(line.startsWith("harmful.episodes.outcomes: "), line);
});

Deno.test("verify: other words with the same verdicts are found on the same adapter only", () => {
  const again = { ...seen, harmful: { ...seen.harmful, transcript: "00" } };
  const [line] = checkObservation(honest, again, MADE.adapter);
  assert(line.includes("other words were said"), line);
  assertEquals(checkObservation(honest, again, "another adapter"), []);
});

Deno.test("verify: another adapter may differ in a few dialogues, and in no more", () => {
  const { outcomes, answers } = seen.harmful.records.seen;
  const allowed = Math.ceil(OTHER_ADAPTER * outcomes.length);
  const turned = (count: number) => {
    const list = [...outcomes];
    for (let i = 0; i < count; i++) list[i] = list[i] === "s" ? "m" : "s";
    const records = { ...seen.harmful.records, seen: { outcomes: list.join(""), answers } };
    return { ...seen, harmful: { ...seen.harmful, records } };
  };
  assertEquals(checkObservation(honest, turned(allowed), "another"), []);
  assertEquals(checkObservation(honest, turned(allowed + 1), "another").length, 1);
  assertEquals(checkObservation(honest, turned(1), MADE.adapter).length, 1);
});

Deno.test("hashes: one byte of any model file, a file more or less; nothing else", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const bytes = new Uint8Array(5000).map((_, i) => i % 251);
    await Deno.writeFile(`${folder}/model.safetensors`, bytes);
    await Deno.writeTextFile(`${folder}/config.json`, "{}");
    const before = await hashModel(folder);
    const differs = async () => checkHashes("model", before, await hashModel(folder));
    assertEquals(await differs(), []);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 4999 }), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const changed = bytes.slice();
        changed[at] ^= by;
        await Deno.writeFile(`${folder}/model.safetensors`, changed);
        assertEquals((await differs()).length, 1);
      }),
      { numRuns: 20 },
    );
    await Deno.writeFile(`${folder}/model.safetensors`, bytes);
    await Deno.writeTextFile(`${folder}/optimizer.safetensors`, "x");
    await Deno.writeTextFile(`${folder}/certificate.json`, "x");
    assertEquals(await differs(), []);
    await Deno.writeTextFile(`${folder}/tokenizer.json`, "{}");
    assertEquals((await differs()).length, 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("read: what is no certificate is said in one line", () => {
  const fails = (json: string, says: string) =>
    assertThrows(() => parseCertificate(json, "c.json"), InputError, says);
  fails("{", "c.json: not valid JSON");
  fails("null", 'expected a certificate with "schema"');
  fails('{"schema": "infant.certificate/9"}', 'found "infant.certificate/9"');
  fails(JSON.stringify({ ...honest, granted: "yes" }), "c.json: granted: ");
  fails(JSON.stringify({ ...honest, extra: 1 }), "c.json: ");
});

Deno.test("page: says the verdict and every bound, escapes what it quotes, needs no other file", () => {
  const model = { ...honest.model, path: "<script>alert(1)</script>" };
  const page = certificatePage({ ...honest, model });
  assert(!page.includes("<script>"));
  assert(page.includes("Granted.") || page.includes("Not granted."));
  for (const { name } of honest.scopes[0].bounds) assert(page.includes(`<td>${name}</td>`), name);
  for (const line of honest.silentOn) assert(page.includes(line.replaceAll('"', "&quot;")), line);
  assert(!/(src|href)=/.test(page));
});

Deno.test("page: belongs to one certificate, and shows any change", () => {
  const page = certificatePage(honest);
  assert(isPageOf(page, honest));
  assert(!isPageOf(page, { ...honest, digest: "0".repeat(64) }));
  fc.assert(fc.property(fc.nat({ max: page.length - 1 }), (at) => {
    const other = page[at] === "7" ? "8" : "7";
    assert(!isPageOf(page.slice(0, at) + other + page.slice(at + 1), honest), `${at}`);
  }));
});
