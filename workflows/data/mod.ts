/**
 * Data, from a file or hub name to the batch a policy learns from. In reading order:
 *
 * `openDataset` (files to rows) -> `normaliseRows` (columns to meaning) -> `selectSide` (train, validation) ->
 * `tokeniseRows` / `tokenisePairs` (text to weighted tokens) -> `packedSource` / `pairSource` / `StreamSource`
 * (numbered batches).
 *
 * @module
 */
export * from "./batch.ts";
export { Dataset, type DatasetOptions, openDataset } from "./dataset.ts";
export type { DataFile, FileKind, SourceRow } from "./read/bytes.ts";
export type { HubOptions } from "./read/hub.ts";
export * from "./formats/rows.ts";
export { detectFormat, FORMAT_NAMES, type FormatName, type Values } from "./formats/detect.ts";
export { type FormatOptions, normaliseRows, rowReader } from "./formats/normalise.ts";
export { parseTranscript, renderTranscript, type Segment } from "./formats/transcript.ts";
export { TokenisationReport } from "./report.ts";
export { rowKey, selectSide, type Side, sideOf, type SplitOptions } from "./order/split.ts";
export type { Tokenizer } from "./tokenizers/tokenizer.ts";
export { type ChatRenderer, chatRenderer } from "./tokenise/chat.ts";
export type { Boundary, Encoder } from "./tokenise/segments.ts";
export type { Truncation } from "./tokenise/truncate.ts";
export {
  asDemonstration,
  type TokeniseOptions,
  tokenisePair,
  tokenisePairs,
  tokenisePrompt,
  tokeniseRow,
  tokeniseRows,
  type TokenPair,
} from "./tokenise/tokenise.ts";
export {
  type PackedRow,
  packExamples,
  type Packing,
  packingDensity,
  type Piece,
} from "./pack/pack.ts";
export { assembleBatch, padBatch, totalWeight } from "./pack/assemble.ts";
export { Permutation, shuffledItem } from "./order/permutation.ts";
export { shuffleBuffer } from "./order/shuffle_buffer.ts";
export type { BatchSource, PairBatch } from "./sources/source.ts";
export { type BatchOptions, MemorySource, packedSource, pairSource } from "./sources/memory.ts";
export { type StreamOptions, StreamSource, type StreamState } from "./sources/stream.ts";
