/**
 * `audit.jsonl`: every decision of a run with its reasons, one JSON object a line, each holding the SHA-256 of the line before it.
 *
 * Whoever changes, removes, inserts or reorders a line breaks the chain from there on. Cutting lines off the end leaves a whole,
 * shorter chain: that is noticed only by who knows the head (checkpoints and the certificate of a run name it). There are no
 * clock times, so two runs of one configuration and seed write the same bytes.
 */
import { join } from "node:path";
import { createHash } from "node:crypto";
import { InputError } from "../../kernels/errors.ts";
import { fileProblem, writeFileAtomic } from "../files.ts";

/** What stands in an entry beside its place in the chain. */
export interface AuditEvent {
  /** What happened, e.g. `gate`. */
  readonly event: string;
  /** Anything JSON can say. */
  readonly [detail: string]: unknown;
}

/** An entry as it stands in the file. */
export interface AuditEntry extends AuditEvent {
  /** Number of the entry, from 0. */
  readonly index: number;
  /** SHA-256 of the entry before, 64 hexadecimal digits; of the first: zeros. */
  readonly previous: string;
}

/** The hash before the first entry. */
export const AUDIT_ORIGIN: string = "0".repeat(64);

/** SHA-256 of a line without its line break, in hexadecimal: what the next entry holds as `previous`. */
export function auditHash(line: string): string {
  return createHash("sha256").update(line).digest("hex");
}

/** What became of a check. */
export interface AuditCheck {
  /** Whether the chain is whole, and ends in the head that was asked for. */
  readonly ok: boolean;
  /** The entries up to the first problem. */
  readonly entries: readonly AuditEntry[];
  /** Hash of the last good entry. */
  readonly head: string;
  /** The first problem in words; null: none. */
  readonly problem: string | null;
}

/**
 * Checks the text of an audit file.
 * @param expectedHead Hash of the last entry, where it is known; only with it are missing last entries noticed.
 *
 * @example
 * ```ts
 * import { stages } from "@infant/toolkit";
 *
 * const line = `{"event":"start","index":0,"previous":"${"0".repeat(64)}"}\n`;
 * console.log(stages.checkAudit(line).ok); // true
 * console.log(stages.checkAudit(line + line).problem); // line 2: index is 0, expected 1
 * ```
 */
export function checkAudit(text: string, expectedHead?: string): AuditCheck {
  const entries: AuditEntry[] = [];
  let head = AUDIT_ORIGIN;
  const broken = (problem: string): AuditCheck => ({ ok: false, entries, head, problem });
  const lines = text.split("\n");
  if (lines.pop() !== "") return broken(`line ${lines.length + 1}: does not end in a line break`);
  for (const [i, line] of lines.entries()) {
    let entry: AuditEntry;
    try {
      entry = JSON.parse(line);
    } catch {
      return broken(`line ${i + 1}: is not JSON`);
    }
    if (entry?.index !== i) return broken(`line ${i + 1}: index is ${entry?.index}, expected ${i}`);
    if (entry.previous !== head) {
      return broken(`line ${i + 1}: does not follow the line before it, or that one was changed`);
    }
    entries.push(entry);
    head = auditHash(line);
  }
  if (expectedHead !== undefined && head !== expectedHead) {
    return broken(
      `ends in ${head}, expected ${expectedHead}: the last entries are missing or changed`,
    );
  }
  return { ok: true, entries, head, problem: null };
}

/** Where a run's audit file lies. */
export function auditPath(run: string): string {
  return join(run, "audit.jsonl");
}

/**
 * Checks the audit file of a run folder.
 * @throws {InputError} when there is none.
 */
export async function verifyAudit(run: string, expectedHead?: string): Promise<AuditCheck> {
  const path = auditPath(run);
  try {
    return checkAudit(await Deno.readTextFile(path), expectedHead);
  } catch (error) {
    throw fileProblem(error, path) ?? error;
  }
}

/** The audit file of a run under way: entries are only ever added. */
export class AuditLog {
  readonly #path: string;
  readonly #entries: AuditEntry[];
  #head: string;

  private constructor(path: string, entries: AuditEntry[], head: string) {
    this.#path = path;
    this.#entries = entries;
    this.#head = head;
  }

  /** The file of a new run; nothing is written before the first entry. */
  static begin(run: string): AuditLog {
    return new AuditLog(auditPath(run), [], AUDIT_ORIGIN);
  }

  /**
   * Opens the file of a run, which need not exist. A last line that a crash has torn is taken off.
   * @throws {InputError} when the chain is broken: a run whose record was changed does not go on.
   */
  static async open(run: string): Promise<AuditLog> {
    const path = auditPath(run);
    const text = await Deno.readTextFile(path).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return "";
      throw fileProblem(error, path) ?? error;
    });
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    const { ok, entries, head, problem } = checkAudit(whole);
    if (!ok) {
      throw new InputError(
        `${path} was changed (${problem}): restore it, or start the run anew in another folder`,
      );
    }
    if (whole !== text) await writeFileAtomic(path, whole);
    return new AuditLog(path, [...entries], head);
  }

  /** All entries, oldest first. */
  get entries(): readonly AuditEntry[] {
    return this.#entries;
  }

  /** Hash of the last entry. */
  get head(): string {
    return this.#head;
  }

  /** Adds an entry, which is on the disk when this returns. @throws {InputError} when it cannot be written. */
  async append(event: AuditEvent): Promise<AuditEntry> {
    const entry: AuditEntry = { ...event, index: this.#entries.length, previous: this.#head };
    const line = JSON.stringify(entry);
    try {
      using file = await Deno.open(this.#path, { append: true, create: true });
      const bytes = new TextEncoder().encode(`${line}\n`);
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
    } catch (error) {
      throw fileProblem(error, this.#path) ?? error;
    }
    this.#entries.push(JSON.parse(line));
    this.#head = auditHash(line);
    return entry;
  }
}
