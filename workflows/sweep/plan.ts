/**
 * From the description of a sweep to its points: every configuration is resolved and checked before the first is trained.
 */
import { InputError } from "../../kernels/errors.ts";
import { errorIn } from "../files.ts";
import type { TrainConfig } from "../config/config.ts";
import { isMapping, type Settings } from "../config/files.ts";
import { resolveConfig } from "../config/resolve.ts";
import { suggestion } from "../nearest.ts";
import type { Values } from "./design.ts";
import { Keys } from "./key.ts";
import { MEASURES } from "./measure_names.ts";
import { type ModuleWork, type Point, settingName, type TrainingWork } from "./point.ts";
import type { SweepSpec } from "./spec.ts";

/** Makes points of settings. */
export class Planner {
  readonly #spec: SweepSpec;
  readonly #keys = new Keys();

  /**
   * Plans a sweep.
   * @throws {InputError} when it compares what there is not.
   */
  constructor(spec: SweepSpec) {
    this.#spec = spec;
    if (spec.point === null) checkNames(spec);
  }

  /**
   * The points of settings, each with all seeds.
   * @throws {InputError} when a configuration is wrong, naming the setting.
   */
  async points(settings: readonly Values[]): Promise<Point[]> {
    const points: Point[] = [];
    for (const values of settings) {
      for (const seed of this.#spec.seeds) {
        try {
          const work = await this.#work(values, seed);
          points.push({
            key: await this.#keys.ofPoint({ work, values, seed }),
            values,
            seed,
            work,
          });
        } catch (error) {
          throw errorIn(`point ${settingName(values)}`, error);
        }
      }
    }
    return points;
  }

  async #work(values: Values, seed: number): Promise<TrainingWork | ModuleWork> {
    const { point, exam, capability } = this.#spec;
    if (point !== null) return { kind: "module", path: point };
    const config = this.#config(values, seed);
    const shared = this.#shared(config);
    return {
      kind: "training",
      config,
      shared: shared && { key: await this.#keys.ofShared(shared), config: shared },
      exam,
      capability,
    };
  }

  /** The whole programme of one point. */
  #config(values: Values, seed: number): TrainConfig {
    const { preset, ...train } = this.#spec.train;
    if (preset !== undefined && typeof preset !== "string") {
      throw new InputError(`train.preset must be the name of a preset, found ${preset}`);
    }
    const overrides = [...leaves(train), ...Object.entries({ ...values, seed })];
    const { config } = resolveConfig({
      preset,
      overrides: overrides.map(([key, value]) => `${key}=${JSON.stringify(value)}`),
    });
    return { ...config, out: null, adapter: null, matmul: null };
  }

  /** The first stages, without gate, exam and certificate: those are the points' own. */
  #shared(config: TrainConfig): TrainConfig | null {
    const { shared: names, shared_seed } = this.#spec;
    if (names.length === 0) return null;
    const stages = config.stages.map(({ name }) => name);
    if (names.some((name, i) => name !== stages[i]) || names.length >= stages.length) {
      throw new InputError(
        `shared must name the first stages in their order and leave one to the points: ` +
          `found [${names.join(", ")}] of [${stages.join(", ")}]`,
      );
    }
    return {
      ...config,
      seed: shared_seed ?? config.seed,
      stages: config.stages.slice(0, names.length),
      evaluate: null,
      gate: null,
      certificate: null,
    };
  }
}

/** Names that a sweep over trained policies may compare. */
function checkNames({ objectives, capability }: SweepSpec): void {
  const known = ["capability", ...MEASURES];
  for (const name of [...objectives, ...Object.keys(capability)]) {
    if (known.includes(name) && !(name === "capability" && name in capability)) continue;
    throw new InputError(`there is no measure "${name}"${suggestion(name, known)}`);
  }
}

/** Entries of nested mappings by dotted key; lists stay whole. */
function leaves(settings: Settings, prefix = ""): [string, unknown][] {
  return Object.entries(settings).flatMap(([key, value]) =>
    isMapping(value) && Object.keys(value).length > 0
      ? leaves(value, `${prefix}${key}.`)
      : [[`${prefix}${key}`, value] as [string, unknown]]
  );
}
