/**
 * Pairs of replies: with the prompt apart, with the prompt inside both (TRL's "implicit prompt"), as HH-RLHF
 * transcripts, and as PKU-SafeRLHF rows, which hold two preferences at once.
 */
import { InputError } from "../../../kernels/errors.ts";
import { parseMessages } from "./messages.ts";
import type { Content, DropReason, Message, PreferenceRow } from "./rows.ts";
import { parseTranscript } from "./transcript.ts";

type Values = Readonly<Record<string, unknown>>;
type Pair = PreferenceRow | DropReason;

/** A string as it is, or messages. */
export function readContent(value: unknown, where: string, column: string): Content {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  if (typeof value === "object") return parseMessages(value, where, column);
  throw new InputError(`${where}: ${column} must be text or messages, found a ${typeof value}`);
}

/** `prompt` (or ShareGPT's `conversations`) with `chosen` and `rejected`. */
export function explicitPreference(values: Values, where: string): Pair {
  const promptColumn = values.prompt === undefined ? "conversations" : "prompt";
  const prompt = readContent(values[promptColumn], where, promptColumn);
  const chosen = readContent(values.chosen, where, "chosen");
  const rejected = readContent(values.rejected, where, "rejected");
  if ([prompt, chosen, rejected].every((content) => typeof content === "string")) {
    return pair(where, prompt, chosen, rejected);
  }
  const [chosenTurns, rejectedTurns] = [chosen, rejected].map((c) => asTurns(c, "assistant"));
  // UltraFeedback repeats the prompt as the first turns of both lists.
  if (chosenTurns[0]?.role !== "assistant" && rejectedTurns[0]?.role !== "assistant") {
    return splitImplicit(chosenTurns, rejectedTurns, where);
  }
  return pair(where, asTurns(prompt, "user"), chosenTurns, rejectedTurns);
}

/** `chosen` and `rejected` that both begin with the prompt. */
export function implicitPreference(values: Values, where: string): Pair {
  const chosen = readContent(values.chosen, where, "chosen");
  const rejected = readContent(values.rejected, where, "rejected");
  if (typeof chosen !== typeof rejected) {
    throw new InputError(`${where}: chosen and rejected must both be text or both be messages`);
  }
  return splitImplicit(chosen, rejected, where);
}

/** HH-RLHF: two transcripts that differ in the last reply only. */
export function transcriptPreference(values: Values, where: string): Pair {
  const [chosen, rejected] = ["chosen", "rejected"].map((column) => {
    const value = values[column];
    if (typeof value === "string") return parseTranscript(value);
    throw new InputError(`${where}: ${column} must be a transcript, found ${typeof value}`);
  });
  if (typeof chosen === "string") return chosen;
  if (typeof rejected === "string") return rejected;
  const prompt = chosen.slice(0, -1);
  if (!sameTurns(prompt, rejected.slice(0, -1))) {
    return "chosen and rejected have different prompts";
  }
  return pair(where, prompt, chosen.slice(-1), rejected.slice(-1));
}

const CHOOSE =
  `PKU-SafeRLHF rows hold two preferences that often disagree: say preference: "helpful" ` +
  `(better_response_id) or preference: "harmless" (safer_response_id)`;

/**
 * PKU-SafeRLHF: `response_0` and `response_1` with two preferences.
 * @throws {InputError} unless the caller says which preference is meant: taking either silently would train
 *   a different model from the one the user has in mind.
 */
export function safeRlhfPreference(
  values: Values,
  where: string,
  preference?: "helpful" | "harmless",
): Pair {
  if (preference !== "helpful" && preference !== "harmless") {
    throw new InputError(`${where}: ${CHOOSE}`);
  }
  const column = preference === "helpful" ? "better_response_id" : "safer_response_id";
  const id = values[column];
  // CSV copies of the set hold the id as text.
  if (![0, 1, "0", "1"].includes(id as number | string)) {
    throw new InputError(`${where}: ${column} must be 0 or 1, found ${JSON.stringify(id)}`);
  }
  const best = Number(id);
  const response = (which: number) =>
    readContent(values[`response_${which}`], where, `response_${which}`);
  const safe = (which: number) => readFlag(values[`is_response_${which}_safe`]);
  const [chosenSafe, rejectedSafe] = [safe(best), safe(1 - best)];
  const prompt = readContent(values.prompt, where, "prompt");
  const row = pair(
    where,
    asTurns(prompt, "user"),
    ...bothTurns(response(best), response(1 - best)),
  );
  if (typeof row === "string" || chosenSafe === null || rejectedSafe === null) return row;
  return { ...row, safe: { chosen: chosenSafe, rejected: rejectedSafe } };
}

/** A yes or no as data sets write it, or null. */
export function readFlag(value: unknown): boolean | null {
  if (typeof value === "boolean") return value;
  const text = String(value).toLowerCase();
  return text === "true" || text === "1" ? true : text === "false" || text === "0" ? false : null;
}

function bothTurns(chosen: Content, rejected: Content): [Message[], Message[]] {
  return [asTurns(chosen, "assistant"), asTurns(rejected, "assistant")];
}

function asTurns(content: Content, role: Message["role"]): Message[] {
  return typeof content === "string" ? [{ role, content }] : [...content];
}

function pair(where: string, prompt: Content, chosen: Content, rejected: Content): PreferenceRow {
  return { kind: "preference", where, prompt, chosen, rejected, safe: null };
}

/**
 * The prompt is the longest common beginning, by the rules of TRL's `extract_prompt`: a space before the
 * first difference belongs to the replies, and each reply keeps at least its last character or turn. Words
 * with which both replies begin become part of the prompt: sets that can should give the prompt apart.
 */
function splitImplicit(chosen: Content, rejected: Content, where: string): Pair {
  if (plainEqual(chosen, rejected)) return "chosen equals rejected";
  const shorter = Math.min(chosen.length, rejected.length);
  let at = 0;
  while (at < shorter - 1 && sameAt(chosen, rejected, at)) at++;
  if (typeof chosen === "string") {
    if (chosen[at - 1] === " " && !sameAt(chosen, rejected, at)) at--;
    // Never cut a character in two: the second half of a surrogate pair goes with the first.
    if (/[\uD800-\uDBFF]/.test(chosen[at - 1] ?? "")) at--;
  }
  return pair(where, chosen.slice(0, at), chosen.slice(at), rejected.slice(at));
}

function sameAt(a: Content, b: Content, i: number): boolean {
  const [x, y] = [a[i], b[i]];
  return typeof x === "string" || typeof y === "string" ? x === y : sameTurns([x], [y]);
}

function plainEqual(a: Content, b: Content): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return sameTurns(a, b);
}

/** Whether two lists of turns say the same. */
export function sameTurns(a: readonly Message[], b: readonly Message[]): boolean {
  return a.length === b.length &&
    a.every((m, i) => m.role === b[i].role && m.content === b[i].content);
}
