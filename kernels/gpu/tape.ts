/**
 * A tape: a computation recorded once and replayed each step as one submission.
 *
 * Operations append dispatches and, for reverse-mode differentiation, a closure that appends the dispatches of their
 * backward pass; `backward()` runs those closures in reverse order. All of it happens while recording, so a replay
 * costs only encoding: no buffer, bind group or pipeline is made in the loop (a fresh submit per kernel would cost
 * 30 times more). `compile()` gives transient tensors their buffers: tensors whose lifetimes do not overlap share one.
 */
import { DeviceError, InputError } from "../errors.ts";
import { Clock } from "./clock.ts";
import { type Gpu, mib } from "./device.ts";
import { type Dispatch, MAX_LOOP_ITERATIONS } from "./dispatch.ts";
import { type CompiledKernel, compileKernel, packUniforms } from "./kernel.ts";
import { bytesOf, KEPT_BYTES, type MirrorOp, Mirrors } from "./mirrors.ts";
import { constantsOf, encodeTransfer, type Op, type Step, usesOf } from "./ops.ts";
import { planSlots } from "./plan.ts";
import { allocateSlots } from "./slots.ts";
import { type DType, type Place, Tensor } from "./tensor.ts";
import { type Image, imageBytes } from "./texture.ts";

/** Called while a replay is encoded, after all dispatches; used to copy results into a ring. */
export type EncodeHook = (encoder: GPUCommandEncoder) => void;

/** Records operations, then replays them. */
export class Tape {
  /** The device it records for. */
  readonly gpu: Gpu;
  /** Names it in errors and profiles. */
  readonly name: string;
  #ops: Op[] = [];
  #backward: (() => void)[] = [];
  #recordBackward = true;
  #kept = new Set<Place>();
  readonly #mirrors = new Mirrors();
  #slots: GPUBuffer[] = [];
  #images: Image[] = [];
  #uniforms: GPUBuffer | null = null;
  #compiled = false;
  #destroyed = false;
  /** Whether copies of what lies outside the tape are made by {@linkcode refresh} alone. */
  readonly #refreshed: boolean;
  /** Those copies. */
  #constants = new Set<MirrorOp>();

  /**
   * An empty tape.
   * @param refreshed for tapes that are replayed many times between changes of what they read: copies into textures of tensors that lie
   * outside the tape, and that it does not change, are made by {@linkcode refresh} and not by every replay.
   */
  constructor(
    gpu: Gpu,
    name: string,
    { refreshed = false }: { readonly refreshed?: boolean } = {},
  ) {
    this.gpu = gpu;
    this.name = name;
    this.#refreshed = refreshed;
  }

  /** A tensor that lives only as long as this tape's operations need it. */
  tensor(name: string, shape: readonly number[], dtype: DType = "f32"): Tensor {
    return new Tensor(name, shape, dtype);
  }

  /** Keeps a tensor's contents after the replay, so that they can be read or used by another tape. */
  keep(tensor: Tensor): Tensor {
    this.#checkOpen(`keep ${tensor.name}`);
    this.#kept.add(tensor.place);
    return tensor;
  }

  /** Appends a kernel launch. */
  dispatch(dispatch: Dispatch): void {
    const { kernel, bindings, groups, loops = 0 } = dispatch;
    this.#checkOpen(kernel.name);
    if (loops > MAX_LOOP_ITERATIONS) {
      throw new InputError(
        `kernel ${kernel.name} would loop ${loops} times in one invocation, at most ` +
          `${MAX_LOOP_ITERATIONS} are safe: use a shorter sequence or a smaller batch`,
      );
    }
    for (const n of groups) {
      if (n !== undefined && (n < 1 || n > 65_535 || !Number.isInteger(n))) {
        throw new InputError(
          `kernel ${kernel.name}: ${n} workgroups along one axis (1 to 65535 allowed)`,
        );
      }
    }
    for (const { name, half, texture, access } of kernel.bindings) {
      const tensor = bindings[name];
      if (!tensor) throw new Error(`kernel ${kernel.name}: nothing is bound to ${name}`);
      if (texture !== tensor.inTexture) {
        throw new Error(
          `kernel ${kernel.name}: ${name} is no ${texture ? "texture" : "buffer"}: ${tensor.name}`,
        );
      }
      if (half !== (tensor.dtype === "f16")) {
        throw new InputError(
          `kernel ${kernel.name}: ${name} must ${half ? "" : "not "}be f16, ` +
            `${tensor.name} is ${tensor.dtype}`,
        );
      }
      if (access === "read_write") this.#mirrors.changed(tensor.place);
    }
    this.#ops.push({ step: { dispatch } });
  }

  /** Appends zeroing of a tensor, padding included. */
  clear(tensor: Tensor): void {
    this.#checkOpen(`clear ${tensor.name}`);
    this.#mirrors.changed(tensor.place);
    this.#ops.push({ clear: tensor });
  }

  /**
   * A float32 tensor, as it is now, in a texture; see `texture.ts`. Appends the copy, unless one was made since the tensor was last
   * written. Kernels that read it must be recorded while it is up to date: it does not follow later changes.
   */
  mirror(tensor: Tensor): Tensor {
    this.#checkOpen(`mirror ${tensor.name}`);
    if (tensor.dtype !== "f32") {
      throw new InputError(`${tensor.name}: only float32 has textures, found ${tensor.dtype}`);
    }
    return this.#mirrors.of(tensor, (op) => this.#ops.push(op));
  }

  #checkOpen(what: string): void {
    if (this.#compiled) throw new Error(`tape ${this.name} is compiled; ${what} comes too late`);
  }

  /** Whether operations recorded now should remember their backward. */
  get recordsBackward(): boolean {
    return this.#recordBackward;
  }

  /** Registers what an operation's backward appends; ignored inside {@linkcode Tape.noGrad}. */
  onBackward(append: () => void): void {
    if (this.#recordBackward) this.#backward.push(append);
  }

  /** Records operations whose inputs need no gradient. */
  noGrad<T>(record: () => T): T {
    const before = this.#recordBackward;
    this.#recordBackward = false;
    try {
      return record();
    } finally {
      this.#recordBackward = before;
    }
  }

  /** Appends the backward pass of everything recorded since the last call. */
  backward(): void {
    const closures = this.#backward;
    this.#backward = [];
    this.#mirrors.forgetMany();
    for (const append of closures.reverse()) this.noGrad(append);
  }

  /**
   * Records `segment` and, right behind it, the backward pass of its own operations: what it makes is needed no longer than that.
   * Its inputs end with their gradients, as far as `segment` reaches them.
   */
  differentiated(segment: () => void): void {
    const before = this.#backward;
    this.#backward = [];
    segment();
    this.backward();
    this.#backward = before;
  }

  /**
   * Activation recomputation: records `segment` forward without keeping what its backward needs, and records it again,
   * this time with its backward, when the backward pass arrives. Memory falls to the segment's inputs and output.
   */
  recompute(segment: () => Tensor): Tensor {
    if (!this.#recordBackward) return segment();
    const out = this.noGrad(segment);
    out.needsGrad = true;
    this.onBackward(() => {
      this.#recordBackward = true; // backward() has taken all closures: those of the segment are alone
      const again = segment();
      this.#recordBackward = false;
      again.grad = out.grad;
      this.backward();
    });
    return out;
  }

  /** Kernel launches per replay. */
  get dispatchCount(): number {
    return this.#ops.filter((op) => "step" in op).length;
  }

  /** Bytes of the buffers this tape owns. */
  get bytes(): number {
    return this.#slots.reduce((sum, slot) => sum + slot.size, 0) + (this.#uniforms?.size ?? 0) +
      this.#images.reduce((sum, image) => sum + imageBytes(image), 0);
  }

  /** Floating-point operations per replay, as far as kernels state them. */
  get flops(): number {
    return this.#ops.reduce((sum, op) => sum + ("step" in op ? op.step.dispatch.flops ?? 0 : 0), 0);
  }

  /**
   * Allocates buffers, builds pipelines and bind groups. `onPipeline` hears of each kernel as it is built.
   * @throws {InputError} when a tensor is larger than the adapter can bind.
   */
  compile(onPipeline?: (kernel: string) => void): this {
    if (this.#destroyed) throw new Error(`tape ${this.name} was destroyed and cannot run`);
    if (this.#compiled) return this;
    this.#allocate();
    const steps = this.#steps();
    const stride = Math.max(256, this.gpu.device.limits.minUniformBufferOffsetAlignment);
    const { UNIFORM, COPY_DST } = GPUBufferUsage;
    this.#uniforms = this.gpu.createBuffer(
      `${this.name} uniforms`,
      Math.max(1, steps.length) * stride,
      UNIFORM | COPY_DST,
    );
    const packed = new Uint8Array(this.#uniforms.size);
    steps.forEach((step, i) => {
      const { kernel, overrides, uniforms = {} } = step.dispatch;
      packed.set(new Uint8Array(packUniforms(kernel, uniforms)), i * stride);
      onPipeline?.(kernel.name);
      step.compiled = compileKernel(this.gpu, kernel, overrides);
      step.group = this.#bind(step, i * stride);
    });
    this.gpu.device.queue.writeBuffer(this.#uniforms, 0, packed);
    this.#compiled = true;
    this.gpu.check();
    return this;
  }

  /** What a replay launches, compiled; see `warm.ts`. */
  launches(): {
    readonly name: string;
    readonly compiled: CompiledKernel;
    readonly group: GPUBindGroup;
  }[] {
    this.compile();
    return this.#steps().map(({ dispatch, compiled, group }) => ({
      name: dispatch.kernel.name,
      compiled: compiled!,
      group: group!,
    }));
  }

  #steps(): Step[] {
    return this.#ops.flatMap((op) => ("step" in op ? [op.step] : []));
  }

  #allocate(): void {
    const constants = this.#refreshed ? constantsOf(this.#ops) : [];
    if (bytesOf(constants.map(({ mirror }) => mirror)) <= KEPT_BYTES) {
      for (const { mirror } of constants) this.#kept.add(mirror.to.place);
      this.#constants = new Set(constants);
    }
    const uses = this.#ops.map(usesOf);
    const { buffers, images } = allocateSlots(this.gpu, this.name, planSlots(uses, this.#kept));
    this.#slots = buffers;
    this.#images = images;
  }

  /**
   * Encodes the copies of what a tape made with `refreshed` reads from outside, as it is then. Due before the first replay and after
   * every change.
   */
  refresh(encoder: GPUCommandEncoder): void {
    this.compile();
    for (const op of this.#constants) encodeTransfer(encoder, op);
  }

  #bind(step: Step, uniformOffset: number): GPUBindGroup {
    const { kernel, bindings } = step.dispatch;
    const most = this.gpu.device.limits.maxStorageBufferBindingSize;
    const entries: GPUBindGroupEntry[] = kernel.bindings.map(({ name, index, texture }) => {
      const tensor = bindings[name];
      if (texture) return { binding: index, resource: tensor.place.image!.view };
      if (tensor.bytes > most) {
        throw new InputError(
          `${tensor.name} [${tensor.shape}] needs ${
            mib(tensor.bytes)
          } in one binding, this adapter ` +
            `allows ${mib(most)}: use a smaller batch, length or vocabulary`,
        );
      }
      const buffer = tensor.place.buffer;
      if (!buffer) throw new Error(`${tensor.name} has no buffer (kernel ${kernel.name})`);
      const size = Math.max(16, Math.ceil(tensor.bytes / 16) * 16);
      return { binding: index, resource: { buffer, offset: tensor.offset, size } };
    });
    if (kernel.uniformIndex >= 0) {
      const size = Math.max(16, Math.ceil(kernel.uniforms.length / 4) * 16);
      const resource = { buffer: this.#uniforms!, offset: uniformOffset, size };
      entries.push({ binding: kernel.uniformIndex, resource });
    }
    const { layout } = step.compiled!;
    return this.gpu.device.createBindGroup({ label: kernel.name, layout, entries });
  }

  /** Encodes and submits everything once, in one pass; does not wait. */
  run(after?: EncodeHook): void {
    this.compile();
    const encoder = this.gpu.device.createCommandEncoder({ label: this.name });
    this.encode(encoder);
    after?.(encoder);
    this.gpu.device.queue.submit([encoder.finish()]);
    this.gpu.counts.submits++;
    this.gpu.check();
  }

  /** Encodes everything into a caller's encoder, so that several replays share one submission. */
  encode(encoder: GPUCommandEncoder): void {
    this.compile();
    let pass: GPUComputePassEncoder | null = null;
    for (const op of this.#ops) {
      if ("mirror" in op && this.#constants.has(op)) continue;
      if (!("step" in op)) {
        pass?.end();
        pass = null;
        encodeTransfer(encoder, op);
        continue;
      }
      pass ??= encoder.beginComputePass({ label: this.name });
      pass.setPipeline(op.step.compiled!.pipeline);
      pass.setBindGroup(0, op.step.group!);
      pass.dispatchWorkgroups(...(op.step.dispatch.groups as [number, number?, number?]));
      this.gpu.counts.dispatches++;
    }
    pass?.end();
  }

  /** Replays once with a timestamp pair around every kernel; for the profile table only. */
  async profile(): Promise<Clock> {
    this.compile();
    const steps = this.#steps();
    const clock = new Clock(this.gpu, steps.length);
    const encoder = this.gpu.device.createCommandEncoder({ label: `${this.name} (profiled)` });
    let i = 0;
    for (const op of this.#ops) {
      if ("mirror" in op && this.#constants.has(op)) continue;
      if (!("step" in op)) {
        encodeTransfer(encoder, op);
        continue;
      }
      const { dispatch, compiled, group } = op.step;
      const pass = encoder.beginComputePass({
        label: dispatch.kernel.name,
        timestampWrites: clock.writes(i++),
      });
      pass.setPipeline(compiled!.pipeline);
      pass.setBindGroup(0, group!);
      pass.dispatchWorkgroups(...(dispatch.groups as [number, number?, number?]));
      pass.end();
    }
    await clock.finish(encoder, steps.map(({ dispatch }) => dispatch));
    return clock;
  }

  /** Fills every transient with NaN bits, so that tests catch values that are read but never written. */
  poison(): void {
    this.compile();
    for (const slot of this.#slots) {
      this.gpu.device.queue.writeBuffer(slot, 0, new Uint32Array(slot.size / 4).fill(0x7fc00000));
    }
  }

  /** Frees the tape's buffers; it cannot run after that. */
  destroy(): void {
    this.#destroyed = true;
    for (const slot of this.#slots) slot.destroy();
    for (const { texture } of this.#images) texture.destroy();
    this.#uniforms?.destroy();
    this.#slots = [];
    this.#images = [];
    this.#ops = [];
  }
}

/** Workgroups for `invocations` one-dimensional invocations, folded into two axes where one is too short. */
export function linearGroups(invocations: number, groupSize: number): [number, number] {
  const groups = Math.max(1, Math.ceil(invocations / groupSize));
  if (groups <= 65_535) return [groups, 1];
  const y = Math.ceil(groups / 65_535);
  if (y > 65_535) {
    throw new DeviceError(`${invocations} invocations are more than one dispatch can start`);
  }
  return [Math.ceil(groups / y), y];
}
