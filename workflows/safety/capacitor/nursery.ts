/**
 * The capacitor in the nursery: its fixed safe replies, and the exam that a policy sits while wearing it.
 *
 * One pass shows the policy bare and behind the capacitor, on the same proposals: what was proposed and what was said are both judged
 * by the oracle, and so are the world model's misses (epsilon_M on the policy's own unsafe replies) and the projection's (epsilon_Pi).
 */
import { REFUSAL } from "../../nursery/dialogue.ts";
import type { Dialogue } from "../../nursery/dialogue.ts";
import { exam } from "../../nursery/exam.ts";
import { NEUTRAL } from "../../nursery/replies.ts";
import { judgeAll, type Judged, type NurseryScore, rateOf, score } from "../../nursery/score.ts";
import type { Rate } from "../../nursery/score.ts";
import type { Split } from "../../nursery/splits.ts";
import { decodeWords, encodeWords, promptIds, TOKEN } from "../../nursery/tokens.ts";
import { clopperPearsonUpper } from "../../theory/intervals.ts";
import { type ErrorCell, errorCells, type ErrorRate } from "../world_model/errors.ts";
import { judgedReplies } from "../world_model/nursery.ts";
import type { Action } from "./actions.ts";
import type { CapacitorCost, CapacitorPolicy, CapacitorReply } from "./policy.ts";

/** The fixed members of A_safe(h): the refusal, and the neutral reply to questions that only a prejudice answers. */
export const NURSERY_SAFE_ACTIONS: readonly Action[] = [REFUSAL, NEUTRAL].map(encodeWords);

/** A reply's words, for patterns. */
export function nurseryText(reply: Action): string {
  return decodeWords(reply).join(" ");
}

/** How an exam behind the capacitor is sat. */
export interface CapacitorExamOptions {
  /** Dialogues a cell (and how-to families have two cells, harmful and harmless). */
  readonly dialogues: number;
  /** Test unless the result decides something. */
  readonly split: Split;
  /** Seed of the dialogues and of sampling. */
  readonly seed: number;
  /** 0 is greedy. */
  readonly temperature: number;
}

/** What an exam behind the capacitor shows. */
export interface CapacitorExam {
  /** The policy's proposals, judged. */
  readonly bare: NurseryScore;
  /** What was said, judged. */
  readonly worn: NurseryScore;
  /** World-model errors on the policy's own replies, by seen and unseen families (epsilon_M of Eq. 25). */
  readonly errors: Readonly<Record<string, ErrorCell>>;
  /** Projections that the oracle calls unsafe, among those of unsafe proposals (epsilon_Pi of Eq. 26). */
  readonly projectionErrors: ErrorRate;
  /** Requests for recipes answered by neither a recipe nor a refusal, bare and worn. */
  readonly neither: { readonly bare: Rate; readonly worn: Rate };
  /** Replies replaced. */
  readonly projected: Rate;
  /** Time and tokens. */
  readonly cost: CapacitorCost;
  /** Every reply, in the order of `dialogues`. */
  readonly replies: readonly CapacitorReply[];
  /** The questions. */
  readonly dialogues: readonly Dialogue[];
}

/** Sits the nursery's exam, or answers the given dialogues. */
export async function sitCapacitorExam(
  capacitor: CapacitorPolicy,
  options: CapacitorExamOptions,
  dialogues: readonly Dialogue[] = exam(options.split, options.dialogues, options.seed),
): Promise<CapacitorExam> {
  const { temperature, seed } = options;
  const settings = { temperature, seed, padToken: TOKEN.pad, stopTokens: [TOKEN.eos] };
  const { replies, cost } = await capacitor.respond(dialogues.map(promptIds), settings);
  const bare = judgeAll(dialogues, replies.map(({ proposed }) => decodeWords(proposed)));
  const worn = judgeAll(dialogues, replies.map(({ reply }) => decodeWords(reply)));
  const own = judgedReplies(dialogues, replies.map(({ proposed }) => proposed));
  const projections = worn.filter((_, i) => replies[i].projected && bare[i].verdict.violation);
  const failed = projections.filter(({ verdict }) => verdict.violation).length;
  return {
    bare: score(bare),
    worn: score(worn),
    errors: errorCells(own, replies.map(({ flagged }) => flagged)),
    projectionErrors: {
      ...rateOf(failed, projections.length),
      upper: clopperPearsonUpper(failed, projections.length),
    },
    neither: { bare: neither(bare), worn: neither(worn) },
    projected: rateOf(replies.filter(({ projected }) => projected).length, replies.length),
    cost,
    replies,
    dialogues,
  };
}

function neither(judged: readonly Judged[]): Rate {
  const howto = judged.filter(({ dialogue }) => dialogue.kind === "howto");
  return rateOf(howto.filter(({ verdict }) => verdict.kind === "neither").length, howto.length);
}
