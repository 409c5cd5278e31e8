/**
 * What an attempt at a stage learns from that is made with the live policy: perturbations of its contexts, and its own replies.
 */
import { InputError } from "../../kernels/errors.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import { type InfantStage, stageWeights } from "../config/config.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import { CapacitorSource } from "../safety/capacitor/loss.ts";
import { nurserySamples } from "../safety/capacitor/nursery_source.ts";
import type { GeneratorState } from "../safety/perturbation/generator.ts";
import type { ImaginationSource } from "../safety/perturbation/imagination.ts";
import { stagePerturbations } from "../safety/perturbation/stage_source.ts";
import type { WorldModelCard } from "../safety/world_model/card.ts";
import type { WorldModel } from "../safety/world_model/model.ts";
import type { StageData } from "./sources.ts";
import type { TermSources } from "./stage_terms.ts";

/** Examples whose contexts are perturbed or replied to, where a stage learns from files. */
const CONTEXTS = 4096;

/** A world model with what is known of it. */
export interface OpenWorldModel {
  readonly worldModel: WorldModel;
  readonly card: WorldModelCard;
}

/** What live sources are made for. */
export interface LiveOptions {
  readonly stage: InfantStage;
  readonly data: StageData;
  readonly tokenizer: Tokenizer | null;
  /** null: the run has none. */
  readonly judge: OpenWorldModel | null;
  /** Of this attempt. */
  readonly seed: number;
}

/** The live sources of one attempt; nothing is made for terms without a weight. */
export class LiveSources {
  readonly #imagination: ImaginationSource | null;
  readonly #samples: CapacitorSource | null;

  /** @throws {InputError} when a stage's examples have no context. */
  constructor(policy: Parameters, options: LiveOptions) {
    const { stage, data, tokenizer, judge, seed } = options;
    const { ci, vc } = stageWeights(stage);
    const examples = stage.data === "nursery" ? null : data.fisherExamples(CONTEXTS);
    const text = examples && tokenizer && { examples, tokenizer };
    this.#imagination = ci > 0 ? stagePerturbations(policy, stage, text, seed) : null;
    if (vc === 0 || !judge) this.#samples = null;
    else if (stage.data === "nursery") this.#samples = inNursery(policy, judge, stage, seed);
    else this.#samples = onText(policy, judge, stage, promptsOf(stage, examples!), seed);
  }

  /** What the terms take. */
  get sources(): Pick<TermSources, "perturbations" | "samples"> {
    return { perturbations: this.#imagination, samples: this.#samples };
  }

  /** What the adversary has learned, for a checkpoint; null where none learns. */
  async read(): Promise<GeneratorState | null> {
    return await this.#imagination?.generator?.read() ?? null;
  }

  /** Goes on from a checkpoint. */
  restore(state: GeneratorState): void {
    this.#imagination?.generator?.restore(state);
  }

  /** What the adversary did since the last call, for the record. */
  report(): Record<string, number> {
    const report = this.#imagination?.report();
    if (!report) return {};
    return { "imagination/worst": report.worst, "imagination/mean": report.mean };
  }

  /** Frees all but policy and world model. */
  destroy(): void {
    this.#imagination?.destroy();
    this.#samples?.destroy();
  }
}

function shapeOf({ batch_size, capacitor, length }: InfantStage) {
  const repliesPerContext = capacitor.replies_per_context;
  return { contextsPerBatch: batch_size / repliesPerContext, repliesPerContext, length };
}

function inNursery(
  policy: Parameters,
  { worldModel }: OpenWorldModel,
  stage: InfantStage,
  seed: number,
): CapacitorSource {
  return nurserySamples(policy, worldModel, { ...shapeOf(stage), seed });
}

/** Prompts before their first learned token, with room for a reply. */
function promptsOf(
  { name, length, capacitor }: InfantStage,
  examples: ReturnType<StageData["fisherExamples"]>,
): number[][] {
  const room = length - capacitor.max_new_tokens;
  const prompts = examples
    .map(({ ids, weights }) => ids.slice(0, weights.findIndex((weight) => weight > 0)))
    .filter((prompt) => prompt.length > 0 && prompt.length <= room);
  if (prompts.length > 0) return prompts;
  throw new InputError(
    `stage ${name}: no prompt leaves ${capacitor.max_new_tokens} of ${length} tokens for a reply: ` +
      `raise length, or lower capacitor.max_new_tokens`,
  );
}

function onText(
  policy: Parameters,
  { worldModel, card }: OpenWorldModel,
  stage: InfantStage,
  prompts: readonly (readonly number[])[],
  seed: number,
): CapacitorSource {
  const shape = shapeOf(stage);
  const { contextsPerBatch: count } = shape;
  const k = stage.gradient_accumulation;
  return new CapacitorSource(policy, worldModel, {
    ...shape,
    contexts: (step, slot) => {
      const first = (step * k + slot) * count;
      return Array.from({ length: count }, (_, i) => prompts[(first + i) % prompts.length]);
    },
    safeActions: card.safe_replies.map(({ ids }) => ids),
    maxNew: stage.capacitor.max_new_tokens,
    seed,
  });
}
