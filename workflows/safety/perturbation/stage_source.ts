/**
 * Counterfactual imagination's perturbations as a stage's configuration asks for them, on the nursery or on a stage's own examples.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { Parameters } from "../../../kernels/policy/parameters.ts";
import type { InfantStage } from "../../config/config.ts";
import type { TokenExample } from "../../data/batch.ts";
import { Random } from "../../data/random.ts";
import type { Tokenizer } from "../../data/tokenizers/tokenizer.ts";
import { ImaginationSource } from "./imagination.ts";
import { nurseryCases, type PerturbableCase } from "./nursery.ts";
import { textCase, textRules } from "./text.ts";

/** Examples of a stage that learns from files, and what their tokens mean. */
export interface TextContexts {
  /** Contexts with replies; weights above 0 mark the replies. */
  readonly examples: readonly TokenExample[];
  /** Tells words, other tokens and marks apart. */
  readonly tokenizer: Tokenizer;
}

/**
 * The source of a stage's perturbed batches. Its rows are those of the stage's micro-batch, on top of the demonstrations'.
 * @param text what a stage learns from that does not learn from the nursery.
 * @throws {InputError} when no example has a context to perturb.
 */
export function stagePerturbations(
  policy: Parameters,
  stage: InfantStage,
  text: TextContexts | null,
  seed: number,
): ImaginationSource {
  const { imagination, batch_size, length, gradient_accumulation } = stage;
  const budget = imagination.k_max;
  const cases = text ? textCases(text, budget, length, seed) : nurseryCases({ seed, budget });
  return new ImaginationSource(policy, cases, {
    rows: batch_size,
    length,
    slots: gradient_accumulation,
    adversary: imagination.adversary,
    candidates: imagination.candidates,
    innerSteps: imagination.inner_steps,
    generatorLearningRate: imagination.generator_learning_rate,
    seed,
  });
}

/** Cases drawn from examples, with replacement. */
function textCases(
  { examples, tokenizer }: TextContexts,
  budget: number,
  length: number,
  seed: number,
): (index: number) => PerturbableCase {
  const special = specialTokens(tokenizer);
  const decode = (id: number) => tokenizer.decode([id], { skipSpecialTokens: false });
  const rules = textRules(tokenizer.vocabSize, decode, special);
  const usable = examples.filter(({ ids, weights }) =>
    ids.length <= length && weights.findIndex((weight) => weight > 0) > 0
  );
  if (usable.length === 0) {
    throw new InputError(
      `counterfactual imagination: no example has a prompt before its reply within ${length} tokens: ` +
        `use data with prompts, or raise length`,
    );
  }
  return (index) => {
    const example = usable[new Random(seed, "context", index).below(usable.length)];
    return textCase(example, budget, rules, special);
  };
}

/** Tokens that a decoder leaves out when it is told to leave out special ones. */
function specialTokens(tokenizer: Tokenizer): Set<number> {
  const special = new Set<number>();
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    const [all, plain] = [false, true].map((skipSpecialTokens) =>
      tokenizer.decode([id], { skipSpecialTokens })
    );
    if (all !== "" && plain === "") special.add(id);
  }
  return special;
}
