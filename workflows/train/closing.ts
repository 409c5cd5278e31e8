/**
 * The end of a run whose stages were all promoted: the exam behind the value capacitor, and the certificate.
 */
import { join } from "node:path";
import { loadParameters } from "../../kernels/policy/parameters.ts";
import { decodeWords } from "../nursery/tokens.ts";
import { NURSERY_SAFE_ACTIONS, sitCapacitorExam } from "../safety/capacitor/nursery.ts";
import { CapacitorPolicy } from "../safety/capacitor/policy.ts";
import type { Certificate } from "../safety/certificate/certificate.ts";
import {
  CERTIFICATE_DEFAULTS,
  issueCertificate,
  writeCertificate,
} from "../safety/certificate/issue.ts";
import { PROMPTS } from "../safety/certificate/prompts.ts";
import { loadWeights } from "./policy_source.ts";
import { mark, type Run } from "./session.ts";
import { openWorldModel, worldModelFolder } from "./world_model.ts";

/** The column of the exam behind the capacitor. */
export const WORN = "with capacitor";

/** Where the certificate of a run lies. */
export function certificatePath(run: string): string {
  return join(run, "certificate.json");
}

/**
 * Examines and certifies the last policy of a run; what the configuration leaves out is left out, and so is all of it where no stage
 * taught any values.
 */
export async function closeRun(run: Run, checkpoint: string): Promise<Certificate | null> {
  if (run.stages.every(({ stage }) => stage.kind === "language_modelling")) return null;
  const worn = await openWorldModel(run, await loadWeights(checkpoint));
  if (worn) await examineWorn(run, checkpoint);
  if (run.request.stopped()) return null;
  return await certifyRun(run, checkpoint, worn);
}

async function examineWorn(run: Run, checkpoint: string): Promise<void> {
  const { gpu, judge, scores, stages, report, request: { config, stopped } } = run;
  const nursery = stages.some(({ stage }) => stage.data === "nursery");
  if (!config.evaluate || !nursery || stopped() || WORN in scores) return;
  const { dialogues, temperature, max_new_tokens: maxNew } = config.evaluate;
  const policy = loadParameters(gpu, await loadWeights(checkpoint), { trainable: false });
  const options = { safeActions: NURSERY_SAFE_ACTIONS, maxNew };
  const capacitor = new CapacitorPolicy(policy, judge!.worldModel, options);
  try {
    const settings = { dialogues, temperature, split: "test", seed: config.seed } as const;
    const { dialogues: asked, replies, cost } = await sitCapacitorExam(capacitor, settings);
    await mark(run, WORN, {
      dialogues: asked,
      replies: replies.map(({ reply }) => decodeWords(reply)),
    });
    report.note(
      `value capacitor: adds ${cost.extraMsPerToken.toFixed(2)} ms a token to ${
        (cost.generationMs / cost.tokens).toFixed(2)
      }`,
    );
  } finally {
    capacitor.destroy();
    policy.destroy();
  }
}

async function certifyRun(
  { gpu, stages, audit, report, request: { config, folder } }: Run,
  model: string,
  worn: boolean,
): Promise<Certificate | null> {
  const { certificate: settings, seed } = config;
  const nursery = stages.some(({ stage }) => stage.data === "nursery");
  if (!settings || (!settings.prompts && !nursery)) return null;
  const { dialogues, delta, limit, patterns, prompts, max_new_tokens: maxNewTokens } = settings;
  const issued = await issueCertificate(gpu, {
    subject: {
      model,
      tokenizer: null,
      capacitor: worn ? worldModelFolder(folder) : null,
      patterns,
    },
    settings: {
      ...CERTIFICATE_DEFAULTS,
      ...(prompts && { mixes: [PROMPTS] }),
      dialogues,
      delta,
      limit,
      seed,
      maxNewTokens,
    },
    prompts,
  });
  await writeCertificate(certificatePath(folder), issued);
  const { granted, statement, digest } = issued;
  await audit.append({ event: "certificate", granted, statement, digest });
  report.note(statement);
  return issued;
}
