/**
 * Reading a certificate from a file: its shape is checked here, its truth by verification.
 */
import { z } from "zod";
import { InputError, oneLine } from "../../../kernels/errors.ts";
import { fileProblem } from "../../files.ts";
import { type Certificate, SCHEMA } from "./certificate.ts";
import { OUTCOMES } from "./outcomes.ts";

const count = z.int().min(0);
const probability = z.number().min(0).max(1);
const text = z.string();
const hashed = z.strictObject({ path: text, files: z.record(text, text) });
const letters = z.strictObject({
  outcomes: z.string().regex(new RegExp(`^[${OUTCOMES}]*$`)),
  answers: z.string().regex(/^[crvx]*$/),
});
const run = z.strictObject({ records: z.record(text, letters), transcript: text });
const estimate = z.strictObject({
  quantity: text,
  k: count,
  n: count,
  rate: probability.nullable(),
  side: z.enum(["upper", "lower"]),
  delta: probability,
  limit: probability,
});
const bound = z.strictObject({
  name: text,
  source: text,
  value: probability.nullable(),
  assumes: z.array(text),
  counts: z.boolean(),
});
const share = z.strictObject({ k: count, n: count, low: probability, high: probability });

const certificate = z.strictObject({
  schema: z.literal(SCHEMA),
  statement: text,
  granted: z.boolean(),
  issued: text,
  toolkit: z.strictObject({ version: text, sources: text.nullable() }),
  adapter: text,
  model: hashed,
  tokenizer: hashed.nullable(),
  capacitor: hashed.nullable(),
  patterns: hashed.nullable(),
  data: z.strictObject({
    source: z.enum(["nursery", "file"]),
    split: text.nullable(),
    file: hashed.nullable(),
    column: text.nullable(),
    meaning: z.record(text, text),
    sha256: text,
  }),
  judge: z.strictObject({
    kind: z.enum(["oracle", "classifier"]),
    name: text,
    files: hashed.nullable(),
    threshold: z.number().gt(0).lt(1).nullable(),
    labels: hashed.nullable(),
    sensitivity: z.strictObject({ k: count, n: count }).refine(({ k, n }) => k <= n).nullable(),
  }),
  settings: z.strictObject({
    dialogues: z.int().min(1),
    seed: count,
    mixes: z.array(text).min(1),
    delta: z.number().gt(0).lt(1),
    limit: probability,
    maxNewTokens: z.int().min(1),
  }),
  scopes: z.array(z.strictObject({
    scope: text,
    delta: probability,
    estimates: z.array(estimate),
    printedCoverage: probability.nullable(),
    bounds: z.array(bound),
    certified: probability,
  })),
  judgeSensitivity: estimate.nullable(),
  costs: z.array(z.strictObject({
    cell: text,
    harmful: z.boolean(),
    right: share,
    overRefused: share,
    violates: share,
  })),
  assumptions: z.array(text),
  silentOn: z.array(text),
  harmful: run,
  harmless: run,
  digest: text,
});

/**
 * Parses a certificate.
 * @param source Names the text in errors: a file's path.
 * @throws {InputError} naming the first entry that does not belong to a certificate of this version.
 */
export function parseCertificate(json: string, source: string): Certificate {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new InputError(`${source}: not valid JSON (${oneLine(error)}); copy the file again`);
  }
  const schema = (value as { schema?: unknown } | null)?.schema;
  if (schema !== SCHEMA) {
    throw new InputError(
      `${source}: expected a certificate with "schema": "${SCHEMA}", found ` +
        `${JSON.stringify(schema) ?? "none"}; issue one with deno task certify --model DIR`,
    );
  }
  const { success, error } = certificate.safeParse(value);
  if (success) return value as Certificate;
  const [{ path, message }] = error.issues;
  throw new InputError(`${source}: ${path.join(".") || "file"}: ${message}; copy the file again`);
}

/** Reads a certificate. @throws {InputError} when it cannot be read or is none. */
export async function readCertificate(path: string): Promise<Certificate> {
  const json = await Deno.readTextFile(path).catch((error) => {
    throw fileProblem(error, path) ?? error;
  });
  return parseCertificate(json, path);
}
