/**
 * How often a policy prefers the right one of two replies, beside what length or the frequency of words would get.
 *
 * Three readings: the summed log-probability (which favours short replies), the same per token, and the implicit reward of INFANT Eq. 18,
 * which needs the reference's log-probabilities. Equal scores count as wrong, so a policy that tells nothing apart gets nothing.
 */
import { readFloats } from "../../kernels/gpu/readback.ts";
import { Tape } from "../../kernels/gpu/tape.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import { TokenTensors } from "../../kernels/policy/batch.ts";
import { ropeTable } from "../../kernels/rope/rope.ts";
import type { TokenExample } from "../data/batch.ts";
import type { TokenPair } from "../data/tokenise/tokenise.ts";
import { type Rate, rateOf } from "../nursery/score.ts";
import {
  assemblePairs,
  mostPairs,
  packPairs,
  pairItem,
  type PreferenceBatch,
} from "../objective/pairs.ts";
import { placesOf, recordPairSums } from "../objective/placed.ts";
import type { ReferenceTable } from "../objective/preference.ts";
import { Staged } from "../objective/staged.ts";

/** Shape of the batches that pairs are read in. */
export interface PairShape {
  /** Rows of a batch, an even number. */
  readonly rows: number;
  /** Tokens of each row. */
  readonly length: number;
}

/** Log-probabilities of the replies of batches of one shape under a policy, by the pairs' ids; pairs known already are not read again. */
export async function pairLogProbs(
  policy: Parameters,
  batches: Iterable<PreferenceBatch>,
  { rows, length }: PairShape,
): Promise<Map<number, readonly [chosen: number, rejected: number]>> {
  const { gpu, config } = policy;
  const most = mostPairs(rows, length);
  const tokens = new TokenTensors(gpu, config, rows, length);
  const places = new Staged(gpu, "pairs", 1, {
    targets: [rows * length, "u32"],
    sequenceOf: [rows * length, "u32"],
    segments: [4 * most, "u32"],
  });
  const rope = config.positions === "rope" ? ropeTable(gpu, config) : null;
  const tape = new Tape(gpu, "pair log-probabilities");
  const sums = tape.keep(recordPairSums(tape, policy, tokens, rope, places.tensors));
  const table = new Map<number, readonly [number, number]>();
  try {
    tape.compile();
    for (const batch of batches) {
      if (batch.pairs.every(({ id }) => table.has(id))) continue;
      tokens.upload(batch.tokens);
      places.upload(0, placesOf(batch, most));
      const encoder = gpu.device.createCommandEncoder({ label: tape.name });
      places.select(encoder, 0);
      tape.encode(encoder);
      gpu.device.queue.submit([encoder.finish()]);
      gpu.counts.submits++;
      const values = await readFloats(gpu, sums);
      batch.pairs.forEach(({ id }, p) => table.set(id, [values[p], values[most + p]]));
    }
    return table;
  } finally {
    tape.destroy();
    tokens.destroy();
    places.destroy();
    rope?.place.buffer?.destroy();
  }
}

/** The same for pairs in memory; a pair's id is its place in the list. */
export function logProbsOf(
  policy: Parameters,
  pairs: readonly TokenPair[],
  { rows, length }: PairShape,
): Promise<Map<number, readonly [chosen: number, rejected: number]>> {
  const packed = packPairs(pairs.map(pairItem), length, "bfd");
  function* batches(): Generator<PreferenceBatch> {
    const half = rows / 2;
    for (let at = 0; at < packed.length; at += half) {
      // Empty rows make the last batch as large as the others.
      const full = Array.from({ length: half }, (_, r) => packed[at + r] ?? []);
      yield assemblePairs(full, length, 0);
    }
  }
  return pairLogProbs(policy, batches(), { rows, length });
}

/** Shares of pairs whose chosen reply scores higher, with exact 95% intervals. */
export interface PreferenceScores {
  /** By log-probability of the whole reply. */
  readonly logProb: Rate;
  /** By log-probability per token. */
  readonly perToken: Rate;
  /** By implicit reward; null without a reference. */
  readonly reward: Rate | null;
  /** The reference's own, by log-probability of the whole reply; null without one. */
  readonly referenceLogProb: Rate | null;
  /** By number of tokens: the longer reply, or the shorter where training pairs prefer that. */
  readonly length: Rate;
  /** By how much more often its words occur in chosen than in rejected replies of training pairs (naive Bayes over the words of a reply). */
  readonly frequency: Rate;
}

/** What {@linkcode evaluatePreferences} compares with. */
export interface PreferenceEvaluation extends PairShape {
  /** Log-probabilities of the same pairs under the reference, by place in the list. */
  readonly reference?: ReferenceTable;
  /** Pairs of training, which the baselines learn from. */
  readonly training: readonly TokenPair[];
}

/** Scores a policy on pairs that it was not trained on. */
export async function evaluatePreferences(
  policy: Parameters,
  pairs: readonly TokenPair[],
  { reference, training, ...shape }: PreferenceEvaluation,
): Promise<PreferenceScores> {
  const own = await logProbsOf(policy, pairs, shape);
  const rate = (wins: (pair: TokenPair, i: number) => boolean): Rate =>
    rateOf(pairs.filter(wins).length, pairs.length);
  const longer = lengthAdvantage(training) >= 0;
  const words = wordScores(training);
  const wordSum = (reply: TokenExample) =>
    replyTokens(reply).reduce((sum, id) => sum + (words.get(id) ?? 0), 0);
  return {
    logProb: rate((_, i) => own.get(i)![0] > own.get(i)![1]),
    perToken: rate(({ chosen, rejected }, i) => {
      const [c, r] = own.get(i)!;
      return c / replyTokens(chosen).length > r / replyTokens(rejected).length;
    }),
    reward: reference
      ? rate((_, i) => {
        const [[c, r], [fromC, fromR]] = [own.get(i)!, reference.get(i)!];
        return c - fromC > r - fromR;
      })
      : null,
    referenceLogProb: reference
      ? rate((_, i) => reference.get(i)![0] > reference.get(i)![1])
      : null,
    length: rate(({ chosen, rejected }) => {
      const more = replyTokens(chosen).length - replyTokens(rejected).length;
      return longer ? more > 0 : more < 0;
    }),
    frequency: rate(({ chosen, rejected }) => wordSum(chosen) > wordSum(rejected)),
  };
}

/** Tokens of weight 1. */
function replyTokens({ ids, weights }: TokenExample): readonly number[] {
  return ids.filter((_, i) => weights[i] === 1);
}

/** In how many more pairs the chosen reply is the longer one than the shorter one. */
function lengthAdvantage(pairs: readonly TokenPair[]): number {
  return pairs.reduce(
    (sum, { chosen, rejected }) =>
      sum + Math.sign(replyTokens(chosen).length - replyTokens(rejected).length),
    0,
  );
}

/** log of how much likelier each word is in chosen than in rejected replies, with one count added to each. */
function wordScores(pairs: readonly TokenPair[]): Map<number, number> {
  const counts = new Map<number, [chosen: number, rejected: number]>();
  const totals = [0, 0];
  for (const pair of pairs) {
    ([pair.chosen, pair.rejected] as const).forEach((reply, side) => {
      for (const id of replyTokens(reply)) {
        const count = counts.get(id) ?? [0, 0];
        count[side]++;
        totals[side]++;
        counts.set(id, count);
      }
    });
  }
  const smoothed = totals.map((total) => total + counts.size);
  return new Map(
    Array.from(
      counts,
      ([id, [c, r]]) => [id, Math.log((c + 1) / smoothed[0]) - Math.log((r + 1) / smoothed[1])],
    ),
  );
}
