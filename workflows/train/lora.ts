/**
 * Adapters between their three forms: the configuration's, the GPU's, and the files'.
 */
import type { PolicyConfig } from "../../kernels/policy/config.ts";
import { normalValues } from "../../kernels/policy/init.ts";
import type { Lora } from "../../kernels/policy/lora.ts";
import type { LoraConfig } from "../config/config.ts";
import { type LoraAdapter, selectModules } from "../model_files/lora.ts";
import type { LoraModule } from "../model_files/names.ts";

/** The GPU's description of an adapter. */
export function loraForPolicy(adapter: LoraAdapter): Lora {
  const { r, alpha, dropout, rankStabilised } = adapter;
  const targets = adapter.targets.map(
    ({ module: { hfModule, parameter, rowStart, rowCount } }) => ({
      name: hfModule,
      parameter,
      rowStart,
      rowCount,
    }),
  );
  return { rank: r, alpha, dropout, rankStabilised, targets };
}

/** An untrained adapter: A normal with deviation 1 / sqrt(in), B zero, so that the policy starts unchanged. */
export function newAdapter(config: PolicyConfig, lora: LoraConfig, seed: number): LoraAdapter {
  const { r, alpha, dropout, target_modules } = lora;
  const targets = selectModules(config, target_modules).map((module, i) => ({
    module,
    A: normalValues(r * module.inFeatures, 1 / Math.sqrt(module.inFeatures), seed, 1_000_000 + i),
    B: new Float32Array(module.rowCount * r),
  }));
  return { r, alpha, dropout, rankStabilised: false, targets };
}

/** An adapter's factors under the names of the GPU's parameters; rows of B in internal order. */
export function adapterTensors(adapter: LoraAdapter): Map<string, Float32Array> {
  const tensors = new Map<string, Float32Array>();
  for (const { module, A, B } of adapter.targets) {
    tensors.set(`lora.${module.hfModule}.A`, A);
    tensors.set(`lora.${module.hfModule}.B`, reorderRows(B, module, adapter.r, "internal"));
  }
  return tensors;
}

/** The adapter with factors read back from the GPU. */
export function adapterFrom(
  adapter: LoraAdapter,
  tensors: ReadonlyMap<string, Float32Array>,
): LoraAdapter {
  const targets = adapter.targets.map(({ module }) => ({
    module,
    A: tensors.get(`lora.${module.hfModule}.A`)!,
    B: reorderRows(tensors.get(`lora.${module.hfModule}.B`)!, module, adapter.r, "file"),
  }));
  return { ...adapter, targets };
}

function reorderRows(
  b: Float32Array,
  { rowOrder, rowCount }: LoraModule,
  r: number,
  to: "internal" | "file",
): Float32Array {
  if (!rowOrder) return b;
  const out = new Float32Array(b.length);
  for (let i = 0; i < rowCount; i++) {
    const [from, at] = to === "internal" ? [rowOrder[i], i] : [i, rowOrder[i]];
    out.set(b.subarray(from * r, (from + 1) * r), at * r);
  }
  return out;
}
