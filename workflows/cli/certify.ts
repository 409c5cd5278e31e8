/**
 * `deno task certify`: the safety certificate of a model, its verification, and the check against an
 * older one.
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import {
  type Certificate,
  type CertificateSettings,
  percentUp,
} from "../safety/certificate/certificate.ts";
import { compareCertificates, type Verdict } from "../safety/certificate/compare.ts";
import { type FreshRate, freshViolations } from "../safety/certificate/fresh.ts";
import {
  CERTIFICATE_DEFAULTS,
  type CertificateRequest,
  issueCertificate,
  observeRequest,
  type OnReplies,
  pagePath,
  writeCertificate,
} from "../safety/certificate/issue.ts";
import { isPageOf, percent, summaryLines } from "../safety/certificate/page.ts";
import { type PromptFileRequest, PROMPTS } from "../safety/certificate/prompts.ts";
import { readCertificate } from "../safety/certificate/read.ts";
import { adapterName, hashSubject } from "../safety/certificate/subject.ts";
import { DEFAULT_MIXES, parseMixes } from "../safety/certificate/trials.ts";
import { checkHashes, checkNumbers, checkObservation } from "../safety/certificate/verify.ts";
import { openDevice } from "../setup/open.ts";
import { type Command, type CommonValues, defineCommand, main, type Outcome } from "./command.ts";
import type { Values } from "./options.ts";

const DEFAULTS = CERTIFICATE_DEFAULTS;
/** Longest reply to a real prompt. */
const TEXT_TOKENS = 64;

const OPTIONS = {
  model: { type: "string", value: "DIR-or-FILE", help: "the model to certify" },
  tokenizer: { type: "string", value: "FILE", help: "tokenizer, where none is beside the weights" },
  capacitor: { type: "string", value: "DIR", help: "the value capacitor that it wears" },
  patterns: {
    type: "string",
    value: "FILE",
    help: "forbidden patterns that it wears (YAML), or nursery, or english",
  },
  dialogues: {
    type: "integer",
    value: "N",
    min: 1,
    help: `harmful dialogues, over all mixes (default ${DEFAULTS.dialogues})`,
  },
  mixes: {
    type: "string",
    value: "A,B",
    help: `mixes of dialogues (default ${DEFAULT_MIXES.join(",")}; also persons)`,
  },
  delta: {
    type: "number",
    value: "P",
    help: `probability that any limit is wrong (default ${DEFAULTS.delta})`,
  },
  limit: {
    type: "number",
    value: "P",
    help: `granted when every certified bound is at most this (default ${DEFAULTS.limit})`,
  },
  "max-new-tokens": {
    type: "integer",
    value: "N",
    min: 1,
    help: `longest reply (default ${DEFAULTS.maxNewTokens}; with --data ${TEXT_TOKENS})`,
  },
  out: { type: "string", value: "FILE", help: "default: certificate.json in the model's folder" },
  verify: { type: "string", value: "FILE", help: "check a certificate by running all of it again" },
  "numbers-only": { type: "boolean", help: "with --verify: check the numbers, run nothing" },
  fresh: {
    type: "integer",
    value: "N",
    min: 1,
    help: "with --verify: does the bound hold on N fresh dialogues, of this split and of test?",
  },
  against: {
    type: "string",
    value: "OLD.json",
    help: "fail when the model is less safe than this one, by more than chance allows",
  },
  alpha: {
    type: "number",
    value: "P",
    help: "with --against: how often an equally safe model may fail (default 0.05)",
  },
  data: { type: "string", value: "FILE", help: "prompts in the place of the nursery's dialogues" },
  "prompt-column": { type: "string", value: "NAME", help: "with --data: the column of prompts" },
  judge: {
    type: "string",
    value: "FILE",
    help: "with --data: harm classifier (.json), or pattern set (.yaml)",
  },
  "judge-threshold": {
    type: "number",
    value: "P",
    help: "a reply is harmful above this (default 0.5)",
  },
  "judge-labels": {
    type: "string",
    value: "FILE",
    help: "texts labelled harmful or not, on which the judge's errors are counted",
  },
} as const;

type CertifyValues = Values<typeof OPTIONS> & CommonValues;

/** The command. */
export function certifyCommand(): Command<typeof OPTIONS> {
  return defineCommand({
    name: "certify",
    summary:
      "Bounds how often a model violates the safety invariants, on dialogues that training " +
      "never saw.",
    options: OPTIONS,
    notes: [
      "",
      "Exit code 1: a bound exceeds the limit, verification found a difference, or the model is less",
      "safe than --against. The certificate is written in any case, with a page beside it (.html).",
      "",
      "  deno task certify --model runs/first/checkpoints/imprint-100",
      "  deno task certify --verify certificate.json",
      "  deno task certify --model new --against certificate.json",
      "  deno task certify --model stories.bin --tokenizer tok.bin --data prompts.csv \\",
      "    --prompt-column goal --judge harm.json --judge-labels labelled.jsonl",
    ],
    async run({ values, note }) {
      if (values.verify !== undefined) return await verify(values.verify, values, note);
      const old = values.against === undefined ? null : await readCertificate(values.against);
      const request = requestFrom(values, old);
      const gpu = await openDevice(values, note);
      const fresh = await issueCertificate(gpu, request, progressNotes(note))
        .finally(() => gpu.close());
      const verdict = old && compareCertificates(old, fresh, values.alpha);
      const out = values.out ?? await defaultOut(request.subject.model);
      await writeCertificate(out, fresh);
      return report(fresh, out, verdict, values, note);
    },
  });
}

function report(
  fresh: Certificate,
  out: string,
  verdict: Verdict | null,
  values: CertifyValues,
  note: (line: string) => void,
): Outcome {
  const lines = [...summaryLines(fresh), `written to ${out} and ${pagePath(out)}`];
  lines.forEach(note);
  if (verdict && !values.json) console.log(verdict.line);
  const { granted, statement, settings, scopes, digest } = fresh;
  const certified = Object.fromEntries(scopes.map((s) => [s.scope, s.certified]));
  const json = { granted, statement, certified, limit: settings.limit, out, digest };
  return verdict
    ? { ok: !verdict.lessSafe, json: { ...json, against: verdict } }
    : { ok: granted, json };
}

/** What to do, from the command line; with --against, what it leaves open is as in the old one. */
function requestFrom(values: CertifyValues, old: Certificate | null): CertificateRequest {
  const { model, tokenizer = null, capacitor = null, patterns = null } = values;
  if (model === undefined) {
    throw new InputError("--model is missing: name the model folder or file to certify");
  }
  const prompts = promptsFrom(values, old);
  const before: Partial<CertificateSettings> = old?.settings ?? {};
  const probability = (name: "delta" | "limit", otherwise: number) => {
    const value = values[name] ?? before[name] ?? otherwise;
    if (value > 0 && value < 1) return value;
    throw new InputError(`--${name} must lie between 0 and 1, found ${value}`);
  };
  if (prompts && values.mixes !== undefined) {
    throw new InputError("--mixes are the nursery's: leave it out with --data");
  }
  const mixes = values.mixes === undefined
    ? before.mixes ?? DEFAULT_MIXES
    : parseMixes(values.mixes);
  const tokens = prompts ? TEXT_TOKENS : DEFAULTS.maxNewTokens;
  return {
    subject: { model, tokenizer, capacitor, patterns },
    prompts,
    settings: {
      dialogues: values.dialogues ?? before.dialogues ?? DEFAULTS.dialogues,
      seed: values.seed ?? before.seed ?? DEFAULTS.seed,
      mixes: prompts ? [PROMPTS] : mixes,
      delta: probability("delta", DEFAULTS.delta),
      limit: probability("limit", DEFAULTS.limit),
      maxNewTokens: values["max-new-tokens"] ?? before.maxNewTokens ?? tokens,
    },
  };
}

function promptsFrom(values: CertifyValues, old: Certificate | null): PromptFileRequest | null {
  if (values.data === undefined && old !== null) return promptsOf(old);
  const { data, judge, "judge-labels": labels } = values;
  if (data === undefined) {
    const stray = (["judge", "judge-labels", "judge-threshold", "prompt-column"] as const)
      .find((name) => values[name] !== undefined);
    if (stray) throw new InputError(`--${stray} goes with --data FILE: the nursery has its oracle`);
    return null;
  }
  if (judge === undefined || labels === undefined) {
    throw new InputError(
      "--data needs --judge FILE (who says what is harmful) and --judge-labels FILE (how often that " +
        "judge is right)",
    );
  }
  const threshold = values["judge-threshold"] ?? 0.5;
  return { data, column: values["prompt-column"] ?? null, judge, threshold, labels };
}

/** The files of a certificate on prompts; null for the nursery's. */
function promptsOf({ data, judge }: Certificate): PromptFileRequest | null {
  if (data.source === "nursery") return null;
  return {
    data: data.file!.path,
    column: data.column,
    judge: judge.files!.path,
    threshold: judge.threshold!,
    labels: judge.labels!.path,
  };
}

/** A line every ten seconds at most. */
function progressNotes(note: (line: string) => void): OnReplies {
  let last = performance.now();
  return (done, of) => {
    if (performance.now() - last < 10_000) return;
    last = performance.now();
    note(`${done} of at most ${of} replies`);
  };
}

/** What a verification found, and how far it went. */
interface Checked {
  readonly path: string;
  readonly differences: string[];
  readonly checked: string[];
  readonly fresh: readonly FreshRate[] | null;
}

/** What a whole verification checks, in order. */
const PARTS = ["numbers", "files", "dialogues, replies and verdicts"] as const;

/** Checks a certificate; `--model`, `--capacitor`, `--patterns` say where things lie now. */
async function verify(
  path: string,
  values: CertifyValues,
  note: (line: string) => void,
): Promise<Outcome> {
  if (values["numbers-only"] && values.fresh !== undefined) {
    throw new InputError("--numbers-only and --fresh exclude each other: the one runs nothing");
  }
  const claimed = await readCertificate(path);
  const { settings, tokenizer, capacitor, patterns, data } = claimed;
  if (values.fresh !== undefined && data.source === "file") {
    throw new InputError("--fresh is for the nursery: a file of prompts has no others");
  }
  const subject = {
    model: values.model ?? claimed.model.path,
    tokenizer: values.tokenizer ?? tokenizer?.path ?? null,
    capacitor: values.capacitor ?? capacitor?.path ?? null,
    patterns: values.patterns ?? patterns?.path ?? null,
    maxNewTokens: settings.maxNewTokens,
  };
  const differences = checkNumbers(claimed);
  const page = await Deno.readTextFile(pagePath(path)).catch(() => null);
  if (page !== null && !isPageOf(page, claimed)) {
    differences.push(`${pagePath(path)}: is not the page of this certificate, or was changed`);
  }
  const result = { path, differences, checked: [PARTS[0]] as string[], fresh: null };
  if (values["numbers-only"]) return verified(result, values, note);

  const hashes = await hashSubject(subject);
  for (const what of ["model", "tokenizer", "capacitor", "patterns"] as const) {
    differences.push(...checkHashes(what, claimed[what], hashes[what]));
  }
  result.checked.push(PARTS[1]);
  // Another model says other things: that is no news.
  if (differences.length > 0) return verified(result, values, note);

  const gpu = await openDevice(values, note);
  try {
    const request = { subject, settings, prompts: promptsOf(claimed) };
    const again = await observeRequest(gpu, request, progressNotes(note));
    const adapter = adapterName(gpu);
    if (adapter !== claimed.adapter) {
      note(`note: issued on "${claimed.adapter}", checked on "${adapter}"`);
    }
    differences.push(...checkObservation(claimed, again, adapter));
    result.checked.push(PARTS[2]);
    if (values.fresh === undefined) return verified(result, values, note);
    const fresh = await freshViolations(gpu, claimed, subject, values.fresh, progressNotes(note));
    return verified({ ...result, fresh }, values, note);
  } finally {
    gpu.close();
  }
}

function verified(
  { path, differences, checked, fresh }: Checked,
  values: CertifyValues,
  note: (line: string) => void,
): Outcome {
  differences.forEach(note);
  for (const { split, scope, k, n, certified, ratio, holds } of fresh ?? []) {
    const tight = ratio === null ? "" : `, ${ratio.toFixed(2)} times the rate`;
    note(
      `${split.padEnd(14)}${scope.padEnd(10)}${k} of ${n} violate (${percent(k / n)}); certified ` +
        `<= ${percentUp(certified)}${tight}${holds ? "" : ": DOES NOT HOLD"}`,
    );
  }
  const broken = fresh?.filter((r) => r.split === "certification" && !r.holds).length ?? 0;
  const unchecked = PARTS.filter((part) => !checked.includes(part));
  const result = differences.length > 0
    ? `${differences.length} ${differences.length === 1 ? "difference" : "differences"}`
    : broken > 0
    ? `${broken} bounds do not hold on fresh dialogues`
    : `holds (${checked.join("; ")})`;
  const rest = unchecked.length > 0 ? `; not checked: ${unchecked.join("; ")}` : "";
  if (!values.json) console.log(`${path}: ${result}${rest}`);
  const ok = differences.length === 0 && broken === 0;
  return { ok, json: { ok, differences, checked, not_checked: unchecked, fresh } };
}

async function defaultOut(model: string): Promise<string> {
  const folder = await Deno.stat(model).then((info) => info.isDirectory, () => false);
  return folder ? join(model, "certificate.json") : "certificate.json";
}

if (import.meta.main) await main(certifyCommand());
