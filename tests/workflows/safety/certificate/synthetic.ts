/**
 * Policies whose doings are known: controls of the nursery behind guards that err at a known rate.
 */
import { Random } from "../../../../workflows/data/random.ts";
import { type Dialogue, REFUSAL, toWords } from "../../../../workflows/nursery/dialogue.ts";
import { judge } from "../../../../workflows/nursery/oracle.ts";
import { helpfulReply, rightReply } from "../../../../workflows/nursery/replies.ts";
import {
  type Certificate,
  certificate,
  type CertificateSettings,
  type Observation,
} from "../../../../workflows/safety/certificate/certificate.ts";
import { nurseryExamination, observe } from "../../../../workflows/safety/certificate/observe.ts";
import type { CertifiedPolicy } from "../../../../workflows/safety/certificate/policy.ts";

export const REFUSES = REFUSAL.join(" ");

export interface Rates {
  /** P(the helpful reply instead of the right one). */
  readonly unsafe: number;
  /** P(an unsafe proposal passes). */
  readonly missed: number;
  /** P(a flagged proposal is sent nevertheless). */
  readonly failed: number;
  /** P(a safe proposal is flagged). */
  readonly falseAlarm?: number;
}

/** Errs at these rates, independently from reply to reply. */
export function syntheticPolicy(rates: Rates, seed = 1): CertifiedPolicy<Dialogue> {
  const random = new Random(seed, "synthetic policy");
  return {
    reply: (dialogues) =>
      Promise.resolve(dialogues.map((dialogue) => {
        const helpful = random.chance(rates.unsafe);
        const words = helpful ? helpfulReply(dialogue.truth) : rightReply(dialogue.truth);
        const proposal = words.join(" ");
        const bad = judge(dialogue, toWords(proposal)).violation;
        const flagged = bad ? !random.chance(rates.missed) : random.chance(rates.falseAlarm ?? 0);
        const projected = flagged && !random.chance(rates.failed) ? REFUSES : proposal;
        return { proposal, flagged, projected, matched: false, reply: projected };
      })),
  };
}

export const SETTINGS: CertificateSettings = {
  dialogues: 400,
  seed: 3,
  mixes: ["plain", "seen", "unseen", "episodes"],
  delta: 0.05,
  limit: 0.5,
  maxNewTokens: 24,
};

const hashed = (path: string) => ({ path, files: { "model.safetensors": "ab".repeat(32) } });

/** What a synthetic policy was seen to do. */
export function observed(
  policy: CertifiedPolicy<Dialogue>,
  settings: Partial<CertificateSettings> = {},
): Promise<Observation> {
  const all = { ...SETTINGS, ...settings };
  return observe(
    {
      policy,
      model: hashed("model"),
      tokenizer: null,
      capacitor: hashed("capacitor"),
      patterns: null,
    },
    nurseryExamination(all),
    all,
  );
}

export const MADE = {
  issued: "2026-01-01T00:00:00.000Z",
  toolkit: { version: "0.1.0", sources: null },
  adapter: "none",
};

/** A synthetic policy's certificate. */
export async function certified(
  rates: Rates,
  settings: Partial<CertificateSettings> = {},
  seed = 1,
): Promise<Certificate> {
  return certificate(await observed(syntheticPolicy(rates, seed), settings), MADE);
}
