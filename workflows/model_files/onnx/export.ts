/**
 * Writing a policy as an ONNX file that onnxruntime and onnxruntime-web run as it is.
 */
import { basename } from "node:path";
import type { PolicyWeights } from "../../../kernels/policy/config.ts";
import { writeAll, writeWhole } from "../../files.ts";
import { type GraphOptions, policyGraph } from "./policy_graph.ts";

/**
 * A protocol buffer cannot exceed 2^31 - 1 bytes; this leaves room for everything but the weights.
 */
const MAX_INSIDE_BYTES = 2 ** 31 - 1 - 2 ** 24;

/** Options of {@linkcode exportOnnx}. */
export interface OnnxOptions extends GraphOptions {
  /**
   * Weights beyond this many bytes go to a second file, `NAME.data`. Default: what one file can
   * hold.
   */
  readonly maxInsideBytes?: number;
}

/** The ONNX file of a policy in memory, weights inside; for models well below 2 GB. */
export function onnxBytes(
  weights: PolicyWeights,
  options: GraphOptions = {},
): Uint8Array<ArrayBuffer> {
  const { chunks, length } = policyGraph(weights, options).model(weights.config.family);
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/**
 * Writes a policy as `path` (and `path` + `.data`, when the weights do not fit inside).
 * Inputs and output are described at `policyGraph`.
 * @returns The files written.
 */
export async function exportOnnx(
  path: string,
  weights: PolicyWeights,
  options: OnnxOptions = {},
): Promise<string[]> {
  const { maxInsideBytes = MAX_INSIDE_BYTES } = options;
  const graph = policyGraph(weights, options);
  const weightBytes = graph.weights.reduce((sum, { data }) => sum + data.byteLength, 0);
  const write = (to: string, chunks: readonly Uint8Array[]) =>
    writeWhole(to, async (file) => {
      for (const chunk of chunks) await writeAll(file, chunk);
    });
  if (weightBytes <= maxInsideBytes) {
    await write(path, graph.model(weights.config.family).chunks);
    return [path];
  }
  const data = `${path}.data`;
  const bytes = graph.weights.map(({ data }) =>
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  );
  await write(data, bytes);
  await write(path, graph.model(weights.config.family, basename(data)).chunks);
  return [path, data];
}
