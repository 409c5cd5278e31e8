/**
 * Checking a certificate again: the numbers from the letters, the letters from the model.
 *
 * The first half needs the file alone. The second needs weights, guards and data, and the same
 * verdict on every dialogue; on another GPU adapter sums are rounded in another order, so a greedy
 * reply may differ where two tokens are nearly as likely, and {@linkcode OTHER_ADAPTER} of the
 * dialogues may come out differently.
 */
import type { Certificate, Observation } from "./certificate.ts";
import { conclude, digestOf, SCHEMA } from "./certificate.ts";
import type { Hashed } from "./hashes.ts";
import type { Letters, RunRecord } from "./outcomes.ts";

/** Share of the dialogues of a mix that may differ on another adapter. */
export const OTHER_ADAPTER = 0.005;

/** A difference as people read it. */
type Difference = string;

/** Every place where two JSON values differ. */
export function differences(claimed: unknown, found: unknown, path: string): Difference[] {
  if (Object.is(claimed, found)) return [];
  const [a, b] = [claimed, found].map((v) =>
    v !== null && typeof v === "object" ? v as { [key: string]: unknown } : null
  );
  if (a === null || b === null || Array.isArray(a) !== Array.isArray(b)) {
    const show = (value: unknown) => {
      const text = JSON.stringify(value) ?? "nothing";
      return text.length > 80 ? `${text.slice(0, 77)}...` : text;
    };
    return [`${path}: the certificate says ${show(claimed)}, found ${show(found)}`];
  }
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].flatMap((key) =>
    differences(a[key], b[key], Array.isArray(a) ? `${path}[${key}]` : `${path}.${key}`)
  );
}

/** What follows from the certificate's own letters and settings against what it says. */
export function checkNumbers(certificate: Certificate): Difference[] {
  const found: Difference[] = [];
  if (certificate.schema !== SCHEMA) {
    found.push(`schema: the certificate says "${certificate.schema}", this toolkit "${SCHEMA}"`);
  }
  if (digestOf(certificate) !== certificate.digest) {
    found.push("digest: the file was changed after it was issued");
  }
  const conclusion = conclude(certificate);
  for (const [key, value] of Object.entries(conclusion)) {
    found.push(...differences(certificate[key as keyof Certificate], value, key));
  }
  const letters = Object.values(certificate.harmful.records).reduce(
    (sum, { outcomes }) => sum + outcomes.length,
    0,
  );
  if (letters !== certificate.settings.dialogues) {
    found.push(
      `harmful: ${letters} outcomes for ${certificate.settings.dialogues} dialogues`,
    );
  }
  return found;
}

/** Whether the files are those that were certified, by name and content, wherever they lie now. */
export function checkHashes(
  what: string,
  claimed: Hashed | null,
  found: Hashed | null,
): Difference[] {
  return differences(claimed?.files ?? null, found?.files ?? null, what);
}

/** What a second run observed against what the certificate says the first did. */
export function checkObservation(
  certificate: Certificate,
  again: Pick<Observation, "harmful" | "harmless" | "data" | "judge">,
  adapter: string,
): Difference[] {
  const same = certificate.adapter === adapter;
  return [
    ...differences(withoutPaths(certificate.data), withoutPaths(again.data), "data"),
    ...differences(withoutPaths(certificate.judge), withoutPaths(again.judge), "judge"),
    ...checkRun("harmful", certificate.harmful, again.harmful, same),
    ...checkRun("harmless", certificate.harmless, again.harmless, same),
  ];
}

/** Files may lie elsewhere by now. */
function withoutPaths(record: object): unknown {
  return JSON.parse(JSON.stringify(record, (key, value) => key === "path" ? undefined : value));
}

function checkRun(what: string, claimed: RunRecord, found: RunRecord, same: boolean): Difference[] {
  const mixes = new Set([...Object.keys(claimed.records), ...Object.keys(found.records)]);
  const list = [...mixes].flatMap((mix) =>
    checkLetters(`${what}.${mix}`, claimed.records[mix], found.records[mix], same)
  );
  if (same && list.length === 0 && claimed.transcript !== found.transcript) {
    list.push(`${what}.transcript: every verdict is the same, but other words were said`);
  }
  return list;
}

function checkLetters(
  what: string,
  claimed: Letters | undefined,
  found: Letters | undefined,
  same: boolean,
): Difference[] {
  if (!claimed || !found) return [`${what}: ${claimed ? "is not found" : "was not certified"}`];
  return (["outcomes", "answers"] as const).flatMap((kind) => {
    const [a, b] = [claimed[kind], found[kind]];
    if (a.length !== b.length) return [`${what}.${kind}: ${a.length} certified, found ${b.length}`];
    const places = [...a].map((_, i) => i).filter((i) => a[i] !== b[i]);
    const allowed = same ? 0 : Math.ceil(OTHER_ADAPTER * a.length);
    if (places.length <= allowed) return [];
    const [first] = places;
    return [
      `${what}.${kind}: ${places.length} of ${a.length} differ (${allowed} allowed), first ` +
      `dialogue ${first + 1}: the certificate says "${a[first]}", found "${b[first]}"`,
    ];
  });
}
