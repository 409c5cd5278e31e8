/**
 * Where examples come from, as the configuration says it.
 */
import type { FormatName } from "../data/formats/detect.ts";
import type { FileKind } from "../data/read/bytes.ts";

/** Where examples come from: the embedded world, a file, or a dataset on the Hugging Face hub. */
export type DataConfig = "nursery" | FileData | HubData;

/** What files and hub datasets have in common. */
export interface DataSource {
  /** How the files are written; auto goes by their endings. */
  readonly file_type: "auto" | FileKind;
  /** What stands between the documents of a text file; null: `<|endoftext|>`. */
  readonly separator: string | null;
  /** What a row means; auto goes by the names of the columns. */
  readonly format: "auto" | FormatName;
  /** The file's own column names by the toolkit's, e.g. `{prompt: "question"}`. */
  readonly columns: Readonly<Record<string, string>>;
  /** Which of PKU-SafeRLHF's two preferences decides; other data have one. */
  readonly preference: "helpful" | "harmless" | null;
  /** A row with an empty text, prompt or reply stops the run, or is left out and counted. */
  readonly on_empty: "error" | "drop";
  /** Use only the first N examples. */
  readonly limit: number | null;
  /** Read while training, with bounded memory; length must then be given in steps or tokens. */
  readonly streaming: boolean;
}

/** Examples from a file or folder. */
export interface FileData extends DataSource {
  /** Data file or folder. */
  readonly path: string;
}

/** Examples from the Hugging Face hub. */
export interface HubData extends DataSource {
  /** `owner/name`. */
  readonly hub: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** Folder inside the dataset; null: all. */
  readonly subset: string | null;
  /** Which split of the dataset. */
  readonly split: string;
}
