/** Known answers on safety predicates, patterns and perturbations (INFANT, Eq. 1-5, 11 and 12). */
import { z } from "zod";
import { checkInvariant, type SafetyJudge } from "../../safety/invariants.ts";
import { measurePatterns } from "../../safety/patterns/coverage.ts";
import { PatternSet } from "../../safety/patterns/pattern_set.ts";
import { NO_NORMALISATION } from "../../safety/patterns/views.ts";
import { editBall } from "../../safety/perturbation/ball.ts";
import { editDistance, normalisedEditDistance } from "../../safety/perturbation/edit_distance.ts";
import { exactMaximum } from "../../safety/perturbation/worst.ts";
import { type Kinds, number, numbers, solve } from "./solve.ts";

const text = z.string();

/** Kinds solved here. */
export const SAFETY_KINDS: Kinds = {
  "infant.predicates": solve(
    {
      threshold: number,
      trajectories: z.array(
        z.object({ harm: numbers, refusal: z.array(z.boolean()), deception: z.boolean() }),
      ),
    },
    ({ threshold, trajectories }) => ({
      results: trajectories.map(({ harm, refusal, deception }) => {
        // Each action is its own index, by which its given scores are found.
        const judge: SafetyJudge = {
          harm: (action) => harm[Number(action)],
          harmThreshold: threshold,
          isRefusal: (action) => refusal[Number(action)],
        };
        const actions = harm.map((_, t) => ({ context: "", action: String(t) }));
        const found = checkInvariant(actions, judge, {
          pressed: deception ? "false" : "right",
          neutral: "right",
        });
        const { refusalConsistent, safe } = found;
        return { harm: found.harm, refusalConsistent, inI: safe };
      }),
    }),
  ),
  "infant.coverage": solve(
    { patterns: z.array(text), corpus: z.array(z.tuple([text, z.boolean()])) },
    ({ patterns, corpus }) => {
      const named = patterns.map((regex, i) => ({
        name: `pattern ${i + 1}`,
        category: "known",
        regex,
      }));
      const set = new PatternSet("known answers", named, NO_NORMALISATION);
      const texts = corpus.map(([text, violation]) => ({ text, violation }));
      const { gammaCov, printedEq5, falsePositives } = measurePatterns(set, texts);
      return {
        matches: corpus.map(([text]) => set.matches(text)),
        conditional: gammaCov.rate,
        literal: printedEq5.rate,
        falsePositives: falsePositives.k,
      };
    },
  ),
  "infant.edit-distance": solve({ a: text, b: text }, ({ a, b }) => ({
    codePoints: editDistance(a, b),
    utf16: editDistance(a.split(""), b.split("")),
    normalised: normalisedEditDistance(a, b),
  })),
  "infant.edit-ball-count": solve(
    { word: text, alphabet: text, k: number },
    ({ word, alphabet, k }) => {
      const ball = editBall(word, alphabet, k);
      return { byDistance: ball.byDistance.map(Number), total: Number(ball.size) };
    },
  ),
  "infant.finite-max": solve(
    {
      word: text,
      alphabet: text,
      k: number,
      scores: z.record(text, number),
      penalty: number,
    },
    async ({ word, alphabet, k, scores, penalty }) => {
      const loss = (letters: readonly string[]) =>
        letters.reduce((sum, letter) => sum + scores[letter], 0) -
        penalty * editDistance(word, letters.join(""));
      const ball = editBall<string>(word, alphabet, k);
      const found = await exactMaximum(ball, (words) => words.map(loss));
      return { max: found.loss, argmax: found.maximisers.map((one) => one.join("")).sort() };
    },
  ),
};
