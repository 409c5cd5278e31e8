/**
 * From logits to the next token of every row, without the host: repetition penalty, temperature, top-k, top-p, draw, stop tokens.
 *
 * The rules and their order are Hugging Face's (`generate`): penalty by Keskar et al., arXiv:1909.05858; top-p by Holtzman et al.,
 * arXiv:1904.09751. Thresholds are found without sorting and the draw is Gumbel-max (Maddison et al., arXiv:1411.0030).
 */
import { InputError } from "../errors.ts";
import { defineKernel } from "../gpu/kernel.ts";
import type { Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { RANDOM_FUNCTIONS } from "../random/random.ts";
import { ROW_FUNCTIONS } from "../reduce/rows.ts";
import { ONLINE_FUNCTIONS } from "../softmax/softmax.ts";
import advanceCode from "./advance.wgsl" with { type: "text" };
import sampleCode from "./sample.wgsl" with { type: "text" };
import settingsCode from "./settings.wgsl" with { type: "text" };
import type { SamplingState } from "./state.ts";

const sampleKernel = defineKernel("sample", sampleCode, {
  ROW_FUNCTIONS,
  ONLINE: ONLINE_FUNCTIONS,
  RANDOM_FUNCTIONS,
  SETTINGS: settingsCode,
});
const advanceKernel = defineKernel("sampling_advance", advanceCode, { SETTINGS: settingsCode });

/** Passes over a row: first look, 16 for top-k, 2 masses, 16 for top-p, 12 for its ties, and the draw. */
const PASSES = 48;
/** Reductions per row times the halvings of 256 lanes, with some to spare. */
const REDUCTION_LOOPS = 64 * 8;

/**
 * Chooses the next token of every row from logits [batch, vocab] and moves `state` on by one step: replies, log-probabilities,
 * next inputs, positions, cache index. Replayed as often as tokens are wanted; rows that ended, and replays beyond
 * `maxNew`, change nothing but padding.
 * @throws {InputError} when the logits do not match the state.
 */
export function sampleTokens(tape: Tape, logits: Tensor, state: SamplingState): void {
  const { batch, vocab, maxNew, seen, settings, streams, cursor, done, ids, out } = state;
  if (logits.rows !== batch || logits.columns !== vocab) {
    throw new InputError(
      `sampleTokens: ${logits.name} must be [${batch}, ${vocab}], found [${logits.shape}]`,
    );
  }
  const { LANES, SIZE } = rowSharing(tape, logits);
  const steps = { max_new: maxNew, max_new_stride: out.stride };
  tape.dispatch({
    kernel: sampleKernel,
    bindings: { logits, seen, settings, streams, cursor, done, ids, log_probs: state.logProbs },
    uniforms: {
      rows: batch,
      columns: vocab,
      columns4: logits.stride / 4,
      words: seen.stride,
      ...steps,
    },
    overrides: { LANES, SIZE },
    groups: [Math.ceil(batch / (SIZE / LANES))],
    loops: PASSES * Math.ceil(logits.stride / 4 / LANES) + REDUCTION_LOOPS,
  });
  tape.dispatch({
    kernel: advanceKernel,
    bindings: { settings, cursor, ids, positions: state.positions, done, seen, out },
    uniforms: { rows: batch, words: seen.stride, ...steps },
    groups: [1],
    loops: 9 * Math.ceil(batch / 64),
  });
}

/**
 * Invocations that share a row, and a workgroup's invocations. On software adapters eight rows in lock step need no barriers, but a
 * vocabulary may be too long for one invocation's loops: many passes over few rows need more lanes than elsewhere.
 */
function rowSharing(
  { gpu }: Tape,
  logits: Tensor,
): { readonly LANES: number; readonly SIZE: number } {
  if (!gpu.info.software) return { LANES: 256, SIZE: 256 };
  if (logits.rows >= 8 && logits.columns <= 4096) return { LANES: 1, SIZE: 8 };
  return logits.columns > 8192 ? { LANES: 64, SIZE: 64 } : { LANES: 8, SIZE: 8 };
}
