/**
 * The chain of an audit file: any change is found, a torn last line is not one.
 */
import fc from "fast-check";
import { join } from "node:path";
import {
  auditHash,
  AuditLog,
  auditPath,
  checkAudit,
  verifyAudit,
} from "../../../workflows/stages/audit.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "infant-audit-test-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function written(folder: string, count: number): Promise<{ text: string; head: string }> {
  const log = await AuditLog.open(folder);
  for (let i = 0; i < count; i++) {
    await log.append({ event: "gate", value: i / 7, words: `nr ${i}` });
  }
  return { text: await Deno.readTextFile(auditPath(folder)), head: log.head };
}

Deno.test("audit: entries follow one another, and the file goes on where it ended", () =>
  inFolder(async (folder) => {
    await written(folder, 2);
    const { head } = await written(folder, 1);
    const check = await verifyAudit(folder, head);
    assertEquals([check.ok, check.entries.length, check.problem], [true, 3, null]);
    assertEquals(check.entries.map(({ index }) => index), [0, 1, 2]);
    assertEquals(auditHash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  }));

Deno.test("audit: with the head known, any other bytes are found out", () =>
  inFolder(async (folder) => {
    const { text, head } = await written(folder, 4);
    assert(checkAudit(text, head).ok);
    const place = fc.integer({ min: 0, max: text.length - 1 });
    const other = fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code));
    fc.assert(
      fc.property(place, other, (at, character) => {
        fc.pre(text[at] !== character);
        assert(!checkAudit(text.slice(0, at) + character + text.slice(at + 1), head).ok);
      }),
      { numRuns: 500 },
    );
    fc.assert(fc.property(place, place, (a, b) => {
      const cut = text.slice(0, Math.min(a, b)) + text.slice(Math.max(a, b));
      if (cut !== text) assert(!checkAudit(cut, head).ok);
    }));
    const lines = text.trimEnd().split("\n");
    const order = fc.shuffledSubarray(lines, { minLength: 0, maxLength: 4 });
    fc.assert(fc.property(order, (chosen) => {
      if (chosen.join() !== lines.join()) {
        assert(!checkAudit(chosen.map((line) => `${line}\n`).join(""), head).ok);
      }
    }));
  }));

Deno.test("audit: the problem is named by its line", () =>
  inFolder(async (folder) => {
    const { text, head } = await written(folder, 3);
    const lines = text.trimEnd().split("\n");
    const changed = [lines[0], lines[1].replace("nr 1", "nr 2"), lines[2], ""].join("\n");
    assertEquals(
      checkAudit(changed).problem,
      "line 3: does not follow the line before it, or that one was changed",
    );
    assertEquals(checkAudit(changed).entries.length, 2);
    assert(checkAudit(`${lines[0]}\n`).ok && !checkAudit(`${lines[0]}\n`, head).ok);
  }));

Deno.test("audit: a torn last line is taken off, a changed file is refused", () =>
  inFolder(async (folder) => {
    const { text } = await written(folder, 2);
    const path = join(folder, "audit.jsonl");
    await Deno.writeTextFile(path, text + `{"event":"ga`);
    const log = await AuditLog.open(folder);
    assertEquals(log.entries.length, 2);
    assertEquals(await Deno.readTextFile(path), text);
    await Deno.writeTextFile(path, text.replace("nr 0", "nr 9"));
    await assertRejects(() => AuditLog.open(folder), Error, "was changed (line 2");
  }));
