/**
 * The header of a GGUF file: metadata, and where each tensor lies. `@huggingface/gguf` does the
 * parsing.
 */
import { InputError, oneLine } from "../../kernels/errors.ts";
import { fileError } from "./files.ts";
import { readAt } from "./safetensors.ts";

/** GGML type numbers of the float formats, by name, with the bytes of one value. */
export const FLOAT_TYPES: Readonly<Record<number, { dtype: string; bytes: number }>> = {
  0: { dtype: "F32", bytes: 4 },
  1: { dtype: "F16", bytes: 2 },
  30: { dtype: "BF16", bytes: 2 },
};

/** What the header parser gives for a tensor. */
export interface GgufTensor {
  /** GGUF name, e.g. `blk.0.attn_q.weight`. */
  readonly name: string;
  /** Sizes, innermost first. */
  readonly shape: readonly bigint[];
  /** GGML type number. */
  readonly dtype: number;
  /** Bytes after the start of the tensor data. */
  readonly offset: bigint;
}

/** A parsed GGUF header. */
export interface GgufHeader {
  /** Values by key, e.g. `llama.block_count`. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** What is in the file, by name. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** Where tensor data starts, bytes. */
  readonly dataStart: number;
}

/** Reads the header only. @throws {InputError} when the file is missing or no GGUF. */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  using file = await Deno.open(path).catch((error) => {
    throw fileError(path, error);
  });
  if (new TextDecoder().decode(await readAt(file, 0, 4)) !== "GGUF") {
    throw new InputError(`${path}: not a GGUF file (it does not start with "GGUF")`);
  }
  const { gguf, GGMLQuantizationType } = await import("@huggingface/gguf");
  try {
    const parsed = await gguf(await Deno.realPath(path), { allowLocalFile: true });
    const tensors = new Map((parsed.tensorInfos as GgufTensor[]).map((info) => [info.name, info]));
    for (const { name, dtype } of tensors.values()) {
      if (!(dtype in FLOAT_TYPES)) {
        const kind = GGMLQuantizationType[dtype] ?? `type ${dtype}`;
        throw new InputError(
          `${path}: tensor "${name}" is quantised (${kind}); training needs float weights: convert ` +
            "the original model with `convert_hf_to_gguf.py --outtype f16`, or load its folder",
        );
      }
    }
    return {
      metadata: parsed.metadata as unknown as Readonly<Record<string, unknown>>,
      tensors,
      dataStart: Number(parsed.tensorDataOffset),
    };
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(
      `${path}: the GGUF header cannot be read (${oneLine(error)}); is the file complete?`,
    );
  }
}
