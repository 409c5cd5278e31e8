/**
 * The schema of data sources: the embedded world, a file, or a dataset on the hub.
 */
import { z } from "zod";
import { FORMAT_NAMES } from "../data/formats/detect.ts";
import type { DataConfig } from "./data.ts";

const whole = (min: number) => z.int().min(min);

const source = {
  file_type: z.enum(["auto", "jsonl", "json", "csv", "tsv", "parquet", "text"]).default("auto")
    .describe("how the files are written; auto goes by their endings"),
  separator: z.string().min(1).nullable().default(null)
    .describe("what stands between the documents of a text file; null: <|endoftext|>"),
  format: z.enum(["auto", ...FORMAT_NAMES]).default("auto")
    .describe("what a row means; auto goes by the names of the columns"),
  columns: z.record(z.string(), z.string()).default({})
    .describe("the file's own column names by the toolkit's, e.g. prompt: question"),
  preference: z.enum(["helpful", "harmless"]).nullable().default(null)
    .describe("which of PKU-SafeRLHF's two preferences decides; other data have one"),
  on_empty: z.enum(["error", "drop"]).default("error")
    .describe(
      "a row with an empty text, prompt or reply: stop there, or leave it out and count it",
    ),
  limit: whole(1).nullable().default(null).describe("use only the first N examples"),
  streaming: z.boolean().default(false).describe(
    "read the data while training, with bounded memory, instead of once at the start",
  ),
};

const fileData = z.strictObject({
  path: z.string().min(1).describe("data file or folder"),
  ...source,
}).describe("examples from a file");

const hubData = z.strictObject({
  hub: z.string().regex(/^[\w.-]+\/[\w.-]+$/).describe(
    "dataset on the Hugging Face hub, owner/name",
  ),
  revision: z.string().min(1).default("main").describe("branch, tag or commit"),
  subset: z.string().min(1).nullable().default(null)
    .describe("folder inside the dataset, for those that have several; null: all"),
  split: z.string().min(1).default("train").describe("which split of the dataset"),
  ...source,
}).describe("examples from the hub");

/** Where examples come from: the embedded world, a file, or a dataset on the hub. */
export const dataSchema: z.ZodType<DataConfig> = z.union([
  z.literal("nursery").describe("the embedded world"),
  fileData,
  hubData,
]);
