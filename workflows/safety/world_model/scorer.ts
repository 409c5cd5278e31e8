/**
 * Scores of many replies for one read-back.
 *
 * Replies of like length go together, one a row, padded on the right; a tape is recorded for each length (rounded up) on first use.
 * Each batch leaves its logits in one buffer, which is read once at the end.
 */
import { download } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { persistent, type Tensor, upload } from "../../../kernels/gpu/tensor.ts";
import { TokenTensors } from "../../../kernels/policy/batch.ts";
import { classifierHead, lastTokenRows } from "../../../kernels/policy/heads.ts";
import type { Parameters } from "../../../kernels/policy/parameters.ts";
import { transformer } from "../../../kernels/policy/transformer.ts";
import { ropeTable } from "../../../kernels/rope/rope.ts";
import { padBatch } from "../../data/pack/assemble.ts";

/** Replies judged at once. */
const ROWS = 32;

/** Lengths are rounded up to this, so that few tapes are recorded. */
const LENGTH_STEP = 8;

/** What judges texts of one length. */
interface Pass {
  readonly tape: Tape;
  readonly tokens: TokenTensors;
  readonly lastRows: Tensor;
  /** [ROWS, 2] */
  readonly logits: Tensor;
}

/** Runs a classifier of two classes over token sequences. */
export class Scorer {
  readonly #parameters: Parameters;
  readonly #rope: Tensor | null;
  readonly #passes = new Map<number, Pass>();

  /** Records nothing yet. */
  constructor(parameters: Parameters) {
    this.#parameters = parameters;
    const { gpu, config } = parameters;
    this.#rope = config.positions === "rope" ? ropeTable(gpu, config) : null;
  }

  /** Kernel launches of one batch; 0 before the first. */
  get dispatches(): number {
    const [pass] = this.#passes.values();
    return pass?.tape.dispatchCount ?? 0;
  }

  #pass(length: number): Pass {
    const known = this.#passes.get(length);
    if (known) return known;
    const { gpu, config } = this.#parameters;
    const tokens = new TokenTensors(gpu, config, ROWS, length);
    const lastRows = persistent(gpu, "last rows", [ROWS], "u32");
    const tape = new Tape(gpu, `score ${length}`);
    const logits = tape.noGrad(() => {
      const hidden = transformer(tape, this.#parameters, tokens, { rope: this.#rope });
      return classifierHead(tape, this.#parameters, hidden, lastRows);
    });
    tape.keep(logits);
    const pass = { tape, tokens, lastRows, logits };
    this.#passes.set(length, pass);
    return pass;
  }

  /** P(class 1) of each text of 1 to `context` tokens, computed from float32 logits in float64. */
  async score(texts: readonly (readonly number[])[]): Promise<Float64Array> {
    const scores = new Float64Array(texts.length);
    if (texts.length === 0) return scores;
    const { gpu } = this.#parameters;
    const order = texts.map((_, i) => i).sort((a, b) => texts[a].length - texts[b].length || a - b);
    const batches = Math.ceil(order.length / ROWS);
    const { COPY_SRC, COPY_DST } = GPUBufferUsage;
    const bytes = 16 * ROWS; // a row of two floats is stored as four
    const results = gpu.createBuffer("scores", batches * bytes, COPY_SRC | COPY_DST);
    try {
      for (let b = 0; b < batches; b++) {
        const rows = order.slice(b * ROWS, (b + 1) * ROWS).map((i) => texts[i]);
        const { tape, logits } = this.#load(rows);
        tape.run((encoder) => {
          const { place, offset } = logits;
          encoder.copyBufferToBuffer(place.buffer!, offset, results, b * bytes, bytes);
        });
      }
      const values = new Float32Array(await this.#read(results, batches * bytes));
      order.forEach((i, k) => scores[i] = 1 / (1 + Math.exp(values[4 * k] - values[4 * k + 1])));
    } finally {
      results.destroy();
    }
    return scores;
  }

  /** Uploads the texts into the pass of their length; a short batch repeats its last text. */
  #load(texts: readonly (readonly number[])[]): Pass {
    const { gpu, config } = this.#parameters;
    const longest = Math.max(...texts.map((ids) => ids.length));
    const length = Math.min(config.context, Math.ceil(longest / LENGTH_STEP) * LENGTH_STEP);
    const pass = this.#pass(length);
    const full = Array.from({ length: ROWS }, (_, i) => texts[Math.min(i, texts.length - 1)]);
    pass.tokens.upload(
      padBatch(full.map((ids) => ({ ids, weights: ids.map(() => 0) })), length),
    );
    upload(gpu, pass.lastRows, lastTokenRows(full.map((ids) => ids.length), length));
    return pass;
  }

  #read(results: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    const { gpu } = this.#parameters;
    const encoder = gpu.device.createCommandEncoder({ label: "scores" });
    gpu.counts.readbacks++;
    return download(
      gpu,
      encoder,
      "scores",
      bytes,
      (staging) => encoder.copyBufferToBuffer(results, 0, staging, 0, bytes),
    );
  }

  /** Frees everything but the parameters. */
  destroy(): void {
    for (const { tape, tokens, lastRows } of this.#passes.values()) {
      tape.destroy();
      tokens.destroy();
      lastRows.place.buffer!.destroy();
    }
    this.#rope?.place.buffer?.destroy();
  }
}
