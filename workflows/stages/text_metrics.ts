/**
 * Metrics of maturity for real text, where no oracle judges replies: what a policy says of replies that people have compared.
 *
 * They read the pairs that were held out for gates; the pairs that are reported on are others.
 */
import { InputError } from "../../kernels/errors.ts";
import { heldOutScores } from "../evaluate/held_out_loss.ts";
import { logProbsOf } from "../evaluate/preferences.ts";
import { padBatch } from "../data/pack/assemble.ts";
import type { TokenExample } from "../data/batch.ts";
import type { Examination, HeldOutPairs } from "./examination.ts";
import { type Counted, registerMetric } from "./maturity.ts";

function held(exam: Examination, metric: string): HeldOutPairs {
  const { pairs } = exam;
  if (pairs && pairs.list.length > 0) return pairs;
  throw new InputError(
    `metric "${metric}" needs preference pairs that were held out: give a stage of the run data with chosen and rejected ` +
      `replies and weights.po, and enough of them that a tenth can be held out`,
  );
}

const learned = ({ weights }: TokenExample): number => weights.filter((w) => w === 1).length;

/** Pairs whose chosen reply is likelier by token than the rejected one: m2 for a policy that is too small to refuse. */
export async function preferenceMetric(exam: Examination): Promise<Counted> {
  const { list, ...shape } = held(exam, "preference");
  const sums = await logProbsOf(exam.policy!.parameters, list, shape);
  const won = list.filter(({ chosen, rejected }, i) => {
    const [c, r] = sums.get(i)!;
    return c / learned(chosen) > r / learned(rejected);
  });
  return { k: won.length, n: list.length };
}

/** Tokens of chosen replies that are the policy's first guess: what it still can say. */
export async function predictionMetric(exam: Examination): Promise<Counted> {
  const { list, rows, length } = held(exam, "prediction");
  const batches = Array.from({ length: Math.ceil(list.length / rows) }, (_, b) => {
    const examples = list.slice(b * rows, (b + 1) * rows).map(({ chosen }) => chosen);
    const empty = Array.from({ length: rows - examples.length }, () => ({ ids: [], weights: [] }));
    return padBatch([...examples, ...empty], length, 0);
  });
  const { correct, scored } = (await heldOutScores(exam.policy!.parameters, batches))!;
  return { k: Math.round(correct), n: scored };
}

registerMetric("preference", preferenceMetric);
registerMetric("prediction", predictionMetric);
