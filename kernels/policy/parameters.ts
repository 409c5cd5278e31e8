/**
 * A policy's parameters on the GPU: flat arenas, so that one dispatch updates everything.
 *
 * Order in the arena: trainable matrices (weight decay applies), trainable vectors, then frozen parameters. Gradients and
 * optimiser moments exist only for the trainable part.
 *
 * With `precision: "f16"` (mixed precision: Micikevicius et al., arXiv:1710.03740) these stay the float32 master weights, and a float16
 * copy of them, made again after each update, is what matrix products read.
 */
import { InputError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { readFloats } from "../gpu/readback.ts";
import { Tape } from "../gpu/tape.ts";
import { persistent, Tensor } from "../gpu/tensor.ts";
import { castToF16 } from "../optimizer/cast.ts";
import { windowOf } from "../reduce/windows.ts";
import { parameterSpecs, type PolicyConfig, type PolicyWeights } from "./config.ts";
import { type Lora, loraSpecs } from "./lora.ts";
import { arenaFloats, pack, type StoredSpec, storedSpecs, unpack } from "./storage.ts";

/** Element type of matmul operands and of the activations kept for the backward pass; sums and gradients are float32. */
export type Precision = "f32" | "f16";

/** What is trained. */
export interface ParameterOptions {
  /** Which parameters get gradients; default all. With `lora`, only the adapters unless stated. */
  readonly trainable?: boolean | ((name: string) => boolean);
  /** Adapters to add. */
  readonly lora?: Lora | null;
  /** Additional heads: name of the parameter and its shape. */
  readonly extra?: readonly StoredSpec[];
  /** What matrix products read and which activations they leave: float32 (default), or float16 beside float32 master weights. */
  readonly precision?: Precision;
}

interface Slot {
  readonly spec: StoredSpec;
  readonly at: number;
  readonly tensor: Tensor;
  /** What a matrix product reads: `tensor`, or its float16 copy. */
  readonly operand: Tensor;
}

/**
 * Parameters of one policy in one arena, with gradients for the trainable ones.
 *
 * @example
 * ```ts
 * import { initialWeights, llamaConfig, loadParameters, openGpu } from "@infant/toolkit/kernels";
 *
 * const gpu = await openGpu();
 * const config = llamaConfig({ vocabSize: 32, context: 16, layers: 1, width: 16, heads: 2 });
 * const parameters = loadParameters(gpu, initialWeights(config, 1));
 * console.log(parameters.names[0], parameters.trainableCount); // embed.weight 3632
 * const { tensors } = await parameters.weights(); // back on the host, by name
 * console.log(tensors.get("embed.weight")!.length); // 512
 * gpu.close();
 * ```
 */
export class Parameters {
  /** Where they lie. */
  readonly gpu: Gpu;
  /** The policy's architecture. */
  readonly config: PolicyConfig;
  /** Element type of operands and kept activations. */
  readonly precision: Precision;
  /** All parameters, flat. */
  readonly theta: Tensor;
  /** Gradients of the trainable parameters, flat; null when everything is frozen. */
  readonly gradients: Tensor | null;
  /** Weight decay applies to the floats [0, decayEnd) of the arena. */
  readonly decayEnd: number;
  /** The floats [0, trainableEnd) are trained. */
  readonly trainableEnd: number;
  readonly #slots = new Map<string, Slot>();
  readonly #lora: Lora | null;
  #withoutAdapters = false;
  /** The float16 copy of theta, and what makes it; null in float32. */
  readonly #halves: Tensor | null;
  readonly #castAll: Tape | null;

  /**
   * Arenas of the right size, filled with zeros; see {@linkcode loadParameters}.
   * @throws {InputError} when two parameters share a name, an adapter does not fit, or the adapter has no float16.
   */
  constructor(gpu: Gpu, config: PolicyConfig, options: ParameterOptions = {}) {
    this.gpu = gpu;
    this.config = config;
    this.#lora = options.lora ?? null;
    this.precision = options.precision ?? "f32";
    const half = this.precision === "f16";
    if (half && !gpu.hasF16) {
      throw new InputError(
        `precision f16 needs an adapter with shader-f16, which ${
          gpu.info.description || gpu.info.vendor || "this one"
        } has not: write precision: f32`,
      );
    }
    const isTrained = trainedBy(options);
    const specs = [
      ...storedSpecs(config),
      ...loraSpecs(config, this.#lora),
      ...(options.extra ?? []),
    ];
    const trained = specs.filter((spec) => isTrained(spec.name));
    const matrices = trained.filter((spec) => spec.shape.length > 1);
    const vectors = trained.filter((spec) => spec.shape.length === 1);
    const frozen = specs.filter((spec) => !isTrained(spec.name));
    const size = (spec: StoredSpec) => arenaFloats(spec, half ? 128 : 64);
    const floats = (list: readonly StoredSpec[]) => list.reduce((n, s) => n + size(s), 0);
    this.decayEnd = floats(matrices);
    this.trainableEnd = this.decayEnd + floats(vectors);
    this.theta = persistent(gpu, "theta", [this.trainableEnd + floats(frozen)]);
    this.gradients = this.trainableEnd > 0 ? persistent(gpu, "d_theta", [this.trainableEnd]) : null;
    this.#halves = half ? persistent(gpu, "theta f16", [this.theta.columns], "f16") : null;
    this.#castAll = this.#halves && new Tape(gpu, "weights to f16");
    if (this.#castAll) castToF16(this.#castAll, this.theta, this.#halves!);
    let at = 0;
    for (const spec of [...matrices, ...vectors, ...frozen]) {
      if (this.#slots.has(spec.name)) {
        throw new InputError(`two parameters are named ${spec.name}: rename the adapter or head`);
      }
      const tensor = new Tensor(spec.name, spec.storedShape, "f32", this.theta.place, 4 * at);
      if (at < this.trainableEnd) {
        tensor.needsGrad = true;
        tensor.grad = new Tensor(
          `d_${spec.name}`,
          spec.storedShape,
          "f32",
          this.gradients!.place,
          4 * at,
        );
      }
      const operand = this.#halves
        ? new Tensor(spec.name, spec.storedShape, "f16", this.#halves.place, 2 * at)
        : tensor;
      operand.needsGrad = tensor.needsGrad;
      operand.grad = tensor.grad;
      this.#slots.set(spec.name, { spec, at, tensor, operand });
      at += size(spec);
    }
  }

  /** Its adapters. */
  get lora(): Lora | null {
    return this.#withoutAdapters ? null : this.#lora;
  }

  /** Records the policy as it is under its adapters: what `record` records does not know them. */
  withoutAdapters<T>(record: () => T): T {
    const before = this.#withoutAdapters;
    this.#withoutAdapters = true;
    try {
      return record();
    } finally {
      this.#withoutAdapters = before;
    }
  }

  #slot(name: string): Slot {
    const slot = this.#slots.get(name);
    if (!slot) throw new InputError(`this policy has no parameter ${name}`);
    return slot;
  }

  /** A parameter by its internal name, in float32. */
  get(name: string): Tensor {
    return this.#slot(name).tensor;
  }

  /** A weight as matrix products read it, of element type `precision`; its gradient is that of {@linkcode Parameters.get}. */
  operand(name: string): Tensor {
    return this.#slot(name).operand;
  }

  /** Appends what brings the operands up to date after an update of the trained parameters; nothing in float32. */
  recordOperands(tape: Tape): void {
    if (!this.#halves) return;
    const trained = { start: 0, length: this.trainableEnd };
    castToF16(tape, windowOf(this.theta, trained), windowOf(this.#halves, trained));
  }

  /** A parameter that may be absent (a bias). */
  find(name: string): Tensor | null {
    return this.#slots.get(name)?.tensor ?? null;
  }

  /** Names in arena order. */
  get names(): string[] {
    return [...this.#slots.keys()];
  }

  /** Number of trained values, padding not counted. */
  get trainableCount(): number {
    let count = 0;
    for (const { spec, at } of this.#slots.values()) {
      if (at < this.trainableEnd) count += spec.shape.reduce((a, b) => a * b, 1);
    }
    return count;
  }

  /**
   * Uploads values by name; parameters that are not named keep theirs.
   * @throws {InputError} on an unknown name or a wrong number of values.
   */
  load(tensors: ReadonlyMap<string, Float32Array>): void {
    for (const [name, values] of tensors) {
      const slot = this.#slot(name);
      checkLength(slot.spec, values);
      const image = new Float32Array(arenaFloats(slot.spec));
      pack(slot.spec, values, image, 0);
      this.gpu.device.queue.writeBuffer(this.theta.place.buffer!, 4 * slot.at, image);
    }
    this.#castAll?.run();
  }

  /**
   * Reads an arena (theta by default; also gradients, moments or a Fisher diagonal) back into values by name. Arenas
   * shorter than theta hold the trainable parameters only.
   */
  async read(arena: Tensor = this.theta): Promise<Map<string, Float32Array>> {
    return this.split(await readFloats(this.gpu, arena));
  }

  /** Cuts an arena image into values by name. */
  split(image: Float32Array): Map<string, Float32Array> {
    const tensors = new Map<string, Float32Array>();
    for (const [name, { spec, at }] of this.#slots) {
      if (at < image.length) tensors.set(name, unpack(spec, image, at));
    }
    return tensors;
  }

  /**
   * Puts values by name into an arena image of `floats` floats; parameters without values, and padding, are zeros.
   * @throws {InputError} on a wrong number of values.
   */
  join(tensors: ReadonlyMap<string, Float32Array>, floats: number): Float32Array {
    const image = new Float32Array(floats);
    for (const [name, { spec, at }] of this.#slots) {
      const values = tensors.get(name);
      if (!values || at >= floats) continue;
      checkLength(spec, values);
      pack(spec, values, image, at);
    }
    return image;
  }

  /** The policy's weights as the file formats take them. */
  async weights(): Promise<PolicyWeights> {
    return this.weightsOf(await this.read());
  }

  /** The policy's own weights among values by name (adapters and heads left out). */
  weightsOf(all: ReadonlyMap<string, Float32Array>): PolicyWeights {
    const names = new Set(parameterSpecs(this.config).map((spec) => spec.name));
    return { config: this.config, tensors: new Map([...all].filter(([name]) => names.has(name))) };
  }

  /** Frees the arenas. */
  destroy(): void {
    this.theta.place.buffer?.destroy();
    this.gradients?.place.buffer?.destroy();
    this.#halves?.place.buffer?.destroy();
    this.#castAll?.destroy();
  }
}

function checkLength({ name, shape }: StoredSpec, values: Float32Array): void {
  const want = shape.reduce((a, b) => a * b, 1);
  if (values.length !== want) {
    throw new InputError(
      `${name} must have ${want} values for shape [${shape}], got ${values.length}`,
    );
  }
}

function trainedBy({ trainable, lora, extra = [] }: ParameterOptions): (name: string) => boolean {
  if (typeof trainable === "function") return trainable;
  if (trainable !== undefined) return () => trainable;
  if (!lora) return () => true;
  const heads = new Set(extra.map((spec) => spec.name));
  return (name) => name.startsWith("lora.") || heads.has(name);
}

/** Parameters loaded with a model's weights. */
export function loadParameters(
  gpu: Gpu,
  weights: PolicyWeights,
  options: ParameterOptions = {},
): Parameters {
  const parameters = new Parameters(gpu, weights.config, options);
  parameters.load(weights.tensors);
  return parameters;
}
