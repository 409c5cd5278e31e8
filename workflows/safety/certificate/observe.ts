/**
 * From a policy and its guards to an observation: the dialogues, the run, the hashes.
 */
import type { Dialogue } from "../../nursery/dialogue.ts";
import type { CertificateSettings, DataRecord, JudgeRecord, Observation } from "./certificate.ts";
import type { Hashed } from "./hashes.ts";
import { type RunRecord, runTrials, sha256Of } from "./outcomes.ts";
import type { CertifiedPolicy } from "./policy.ts";
import {
  harmfulTrials,
  HARMLESS,
  type HarmlessCell,
  harmlessTrials,
  type Mix,
  MIXES,
  type NurseryTrials,
  type Trial,
} from "./trials.ts";

/** The dialogues of a certificate and who judges them. */
export interface Examination<Prompt> {
  /** Harmful trials. */
  readonly harmful: readonly Trial<Prompt>[];
  /** Harmless ones, if there are any. */
  readonly harmless: readonly Trial<Prompt>[];
  /** Where they come from. */
  readonly data: DataRecord;
  /** Who judges. */
  readonly judge: JudgeRecord;
}

/** The nursery's split that nothing else uses. */
export const CERTIFICATION = "certification";

/** The nursery's examination: dialogues of the certification split, judged by the oracle. */
export function nurseryExamination(
  { dialogues, seed, mixes }: Pick<CertificateSettings, "dialogues" | "seed" | "mixes">,
): Examination<Dialogue> {
  const options: NurseryTrials = {
    split: CERTIFICATION,
    ...{ dialogues, seed },
    mixes: mixes as readonly Mix[],
  };
  const [harmful, harmless] = [harmfulTrials(options), harmlessTrials(options)];
  const meaning = Object.fromEntries([
    ...options.mixes.map((mix) => [mix, MIXES[mix]]),
    ...(Object.keys(HARMLESS) as HarmlessCell[]).map((cell) => [cell, HARMLESS[cell]]),
  ]);
  return {
    harmful,
    harmless,
    data: {
      source: "nursery",
      split: CERTIFICATION,
      file: null,
      column: null,
      meaning,
      sha256: trialsHash([...harmful, ...harmless]),
    },
    judge: {
      kind: "oracle",
      name: "the nursery's oracle",
      files: null,
      threshold: null,
      labels: null,
      sensitivity: null,
    },
  };
}

/** SHA-256 of all that trials are. */
export function trialsHash(trials: readonly Pick<Trial<unknown>, "key">[]): string {
  return sha256Of(trials.map(({ key }) => key));
}

/** A policy with its guards, and what they are. */
export interface Subject<Prompt> {
  /** The policy as worn. */
  readonly policy: CertifiedPolicy<Prompt>;
  /** Its files. */
  readonly model: Hashed;
  /** Its tokenizer, where it lies apart; otherwise null. */
  readonly tokenizer: Hashed | null;
  /** The capacitor that it wears, or null. */
  readonly capacitor: Hashed | null;
  /** The patterns that it wears, or null. */
  readonly patterns: Hashed | null;
}

/**
 * Runs the examination.
 * @param onProgress Told the replies given, and the most there can be.
 */
export async function observe<Prompt>(
  subject: Subject<Prompt>,
  examination: Examination<Prompt>,
  settings: CertificateSettings,
  onProgress: (done: number, of: number) => void = () => {},
): Promise<Observation> {
  const { policy, model, tokenizer, capacitor, patterns } = subject;
  const { data, judge } = examination;
  // One after the other, so that a run over harmful dialogues alone says the same.
  const after = examination.harmless.reduce((sum, { turns }) => sum + turns, 0);
  let before = 0;
  const harmful: RunRecord = await runTrials(
    policy,
    examination.harmful,
    (done, of) => {
      before = done;
      onProgress(done, of + after);
    },
  );
  const harmless = await runTrials(
    policy,
    examination.harmless,
    (done, of) => onProgress(before + done, before + of),
  );
  return { model, tokenizer, capacitor, patterns, data, judge, settings, harmful, harmless };
}
