/**
 * Everything that computes on the GPU, for Deno and for browsers: nothing here touches files or the command line.
 *
 * In reading order: the device and its tensors, the tape that records and replays, the operations and their
 * gradients, losses, the optimiser, and the transformer made of them.
 *
 * @example A product of two matrices
 * ```ts
 * import { matmul, openGpu, persistent, readFloats, Tape, upload } from "@infant/toolkit/kernels";
 *
 * const gpu = await openGpu();
 * const a = persistent(gpu, "a", [2, 3]);
 * const b = persistent(gpu, "b", [3, 2]);
 * upload(gpu, a, Float32Array.of(1, 2, 3, 4, 5, 6));
 * upload(gpu, b, Float32Array.of(1, 0, 0, 1, 1, 1));
 *
 * const tape = new Tape(gpu, "product");
 * const c = tape.keep(matmul(tape, "nn", a, b)); // records; nothing is computed yet
 * tape.run(); // one submission
 * console.log(await readFloats(gpu, c)); // Float32Array [ 4, 5, 10, 11 ]
 * gpu.close();
 * ```
 *
 * @module
 */

// The cellar: a device, tensors in its memory, and the tape that records a computation and replays it.
export { DeviceError, InputError } from "./errors.ts";
export { type AdapterInfo, Gpu, type GpuOptions, openGpu } from "./gpu/device.ts";
export { type DType, paddedColumns, persistent, type Place, Tensor, upload } from "./gpu/tensor.ts";
export { type EncodeHook, Tape } from "./gpu/tape.ts";
export { type CompileProgress, warm } from "./gpu/warm.ts";
export type { Image } from "./gpu/texture.ts";
export { MetricRing, readFloats, readTensors, settle } from "./gpu/readback.ts";
export { Clock, type ProfileRow } from "./gpu/clock.ts";
export {
  type BindingSpec,
  type CompiledKernel,
  defineKernel,
  type Kernel,
  type Overrides,
  type UniformField,
} from "./gpu/kernel.ts";
export type { Dispatch } from "./gpu/dispatch.ts";

// Operations, one room each. Recording the forward pass records the backward pass with it.
export {
  matmul,
  type MatmulForm,
  type MatmulOptions,
  type MatmulSchedule,
} from "./matmul/matmul.ts";
export { linear, type LinearOptions } from "./matmul/linear.ts";
export { type FusedLinear, fusedLinear } from "./matmul/fused_linear.ts";
export { dotRows } from "./matmul/dot_rows.ts";
export { attention, type BatchShape } from "./attention/attention.ts";
export {
  attentionCached,
  createKvCache,
  destroyKvCache,
  type KvCache,
  rotatesOnAppend,
  type Rotation,
} from "./attention/cache.ts";
export type { AttentionSchedule } from "./attention/kernels.ts";
export { ropeTable, rotate } from "./rope/rope.ts";
export { norm } from "./norm/norm.ts";
export { type Activation, activation, ACTIVATIONS } from "./activation/activation.ts";
export { embedding, type EntryLists, type Lookup, sortByEntry } from "./embedding/embedding.ts";
export { gatherRows } from "./embedding/gather_rows.ts";
export { add } from "./residual/add.ts";
export { dropout } from "./dropout/dropout.ts";
export { logSoftmax, softmax } from "./softmax/softmax.ts";
export { columnSum, sumInto, type SumOptions } from "./reduce/sum.ts";
export { globalNorm } from "./reduce/global_norm.ts";

// Losses: logits in, one value per token and the gradient of the logits out.
export { type CrossEntropy, crossEntropy, logProbGather } from "./losses/cross_entropy.ts";
export { type Direction, klDivergence } from "./losses/kl_divergence.ts";
export {
  ROW_DIVERGENCES,
  type RowCouples,
  type RowDivergence,
  rowDivergence,
  type RowDivergenceOptions,
} from "./losses/row_divergence.ts";
export { NO_SEQUENCE, type Sequences, sequenceSums } from "./losses/sequence_sums.ts";
export {
  preference,
  PREFERENCE_LOSSES,
  PREFERENCE_METRICS,
  type PreferenceInputs,
  type PreferenceLoss,
  type PreferenceSettings,
} from "./losses/preference.ts";

// The optimiser, over flat arenas, and the Fisher diagonal.
export {
  adamw,
  type AdamWSettings,
  type Arenas,
  createKnobs,
  type Extent,
  sgd,
  type SgdSettings,
} from "./optimizer/optimizer.ts";
export {
  type KnobSettings,
  knobValues,
  learningRate,
  type ScheduleSettings,
} from "./optimizer/schedule.ts";
export { LossScaler, type LossScalerState } from "./optimizer/loss_scaler.ts";
export { accumulateSquares, type EwcOptions, ewcPenalty } from "./fisher/fisher.ts";
export { beginPath, endPath, type PathIntegral, synapticImportance } from "./fisher/synaptic.ts";

// The policy: one transformer for four families, its parameters, its adapters, its replies.
export {
  checkConfig,
  type Family,
  llamaConfig,
  parameterCount,
  type ParameterSpec,
  parameterSpecs,
  type PolicyConfig,
  type PolicyWeights,
} from "./policy/config.ts";
export { defaultInitStd, initialWeights } from "./policy/init.ts";
export {
  loadParameters,
  type ParameterOptions,
  Parameters,
  type Precision,
} from "./policy/parameters.ts";
export type { Padding, StoredSpec } from "./policy/storage.ts";
export type { Lora, LoraTarget } from "./policy/lora.ts";
export { type BatchValues, NO_TARGET, TokenTensors, type UploadOptions } from "./policy/batch.ts";
export {
  languageModelHead,
  type PolicyInput,
  transformer,
  type TransformerOptions,
} from "./policy/transformer.ts";
export { LOGIT_BYTES, overVocabulary, type TokenPart } from "./policy/vocabulary.ts";
export {
  classifierHead,
  headSpecsOf,
  type HeadTensor,
  lastTokenRows,
  readHeads,
  rewardHead,
  scoreHeadSpecs,
  valueHead,
  valueHeadSpecs,
} from "./policy/heads.ts";
export { Generator, type GeneratorSizes, type Reply } from "./policy/generate.ts";
export type { SamplingSettings } from "./sampling/state.ts";
