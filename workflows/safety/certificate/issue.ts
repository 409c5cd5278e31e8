/**
 * Issuing a certificate: from folders and settings to a file and its page. The command, the training
 * programme and verification all go through here.
 */
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { writeFileAtomic } from "../../files.ts";
import { toJson } from "../../model_files/files.ts";
import {
  type Certificate,
  certificate,
  type CertificateSettings,
  type Observation,
} from "./certificate.ts";
import { codeVersion } from "./hashes.ts";
import { nurseryExamination, observe } from "./observe.ts";
import { certificatePage } from "./page.ts";
import { promptExamination, type PromptFileRequest } from "./prompts.ts";
import {
  adapterName,
  openNurserySubject,
  openTextSubject,
  type SubjectRequest,
} from "./subject.ts";
import { DEFAULT_MIXES } from "./trials.ts";

/** Settings without further word. */
export const CERTIFICATE_DEFAULTS: CertificateSettings = {
  dialogues: 4000,
  seed: 1,
  mixes: DEFAULT_MIXES,
  delta: 0.05,
  limit: 0.05,
  maxNewTokens: 24,
};

/** All that decides about a certificate. */
export interface CertificateRequest {
  /** What is certified, and what it wears. */
  readonly subject: Omit<SubjectRequest, "maxNewTokens">;
  /** Numbers of dialogues, confidence, limit. */
  readonly settings: CertificateSettings;
  /** Prompts and judge in the place of the nursery; null: the nursery. */
  readonly prompts: PromptFileRequest | null;
}

/** Told the replies given, and the most there can be. */
export type OnReplies = (done: number, of: number) => void;

/**
 * Runs the policy on the dialogues of a certificate.
 * @throws {InputError} when a model, guard or file cannot be used.
 */
export async function observeRequest(
  gpu: Gpu,
  { subject, settings, prompts }: CertificateRequest,
  onReplies?: OnReplies,
): Promise<Observation> {
  const { maxNewTokens } = settings;
  if (prompts === null) {
    const open = await openNurserySubject(gpu, { ...subject, maxNewTokens });
    try {
      return await observe(open, nurseryExamination(settings), settings, onReplies);
    } finally {
      open.close();
    }
  }
  const examination = await promptExamination(prompts, settings);
  const open = await openTextSubject(gpu, { ...subject, maxNewTokens });
  const dialogues = examination.harmful.length;
  try {
    return await observe(open, examination, { ...settings, dialogues }, onReplies);
  } finally {
    open.close();
  }
}

/**
 * Makes a certificate.
 * @throws {InputError} when a model, guard or file cannot be used.
 */
export async function issueCertificate(
  gpu: Gpu,
  request: CertificateRequest,
  onReplies?: OnReplies,
): Promise<Certificate> {
  const seen = await observeRequest(gpu, request, onReplies);
  const toolkit = await codeVersion();
  return certificate(seen, {
    issued: new Date().toISOString(),
    toolkit,
    adapter: adapterName(gpu),
  });
}

/** The page of a certificate lies beside it. */
export function pagePath(path: string): string {
  return `${path.replace(/\.json$/, "")}.html`;
}

/** Writes a certificate and its page, each whole or not at all. */
export async function writeCertificate(path: string, issued: Certificate): Promise<void> {
  await writeFileAtomic(path, toJson(issued));
  await writeFileAtomic(pagePath(path), certificatePage(issued));
}
