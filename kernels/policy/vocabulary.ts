/**
 * Losses over a large vocabulary: the output head and what is computed from its logits, some tokens at a time.
 *
 * Logits are by far the largest activation: 1,024 tokens of a vocabulary of 50,257 are 196 MiB, and their gradient as much again.
 * Since a loss is a sum over tokens, the logits of a few tokens can be made, turned into a loss, turned into gradients of head and
 * hidden states, and forgotten before those of the next tokens are made.
 */
import type { Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { rowsOf } from "../reduce/windows.ts";
import type { Parameters } from "./parameters.ts";
import { languageModelHead } from "./transformer.ts";

/** Logits that are kept at once, unless the adapter's largest binding is smaller: 64 MiB. */
export const LOGIT_BYTES: number = 2 ** 26;

/** Cuts a tensor of all tokens, [tokens] or [tokens, columns], to the tokens at hand. */
export type TokenPart = (perToken: Tensor) => Tensor;

/**
 * Calls `record` with the logits of some tokens after another, all tokens in all; what it records is differentiated at once where
 * there is more than one part, so it must hold everything that is computed from the logits.
 * @param hidden [tokens, width]; its gradient is complete after the tape's backward pass.
 * @param most bytes of logits at once.
 */
export function overVocabulary(
  tape: Tape,
  parameters: Parameters,
  hidden: Tensor,
  record: (logits: Tensor, part: TokenPart) => void,
  most: number = Math.min(LOGIT_BYTES, tape.gpu.device.limits.maxStorageBufferBindingSize),
): void {
  const { vocabSize } = parameters.config;
  const rows = Math.max(64, Math.floor(most / 4 / vocabSize / 64) * 64);
  if (rows >= hidden.rows) {
    record(languageModelHead(tape, parameters, hidden), (perToken) => perToken);
    return;
  }
  const d_hidden = tape.tensor(`d_${hidden.name}`, hidden.shape);
  for (let start = 0; start < hidden.rows; start += rows) {
    const count = Math.min(rows, hidden.rows - start);
    const part: TokenPart = (perToken) => rowsOf(perToken, start, count);
    const d_x = part(d_hidden);
    const segment = () => record(languageModelHead(tape, parameters, part(hidden), d_x), part);
    if (hidden.needsGrad && tape.recordsBackward) tape.differentiated(segment);
    else segment();
  }
  if (hidden.needsGrad) tape.onBackward(() => hidden.grad = d_hidden);
}
