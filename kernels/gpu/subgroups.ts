/**
 * Whether a workgroup of eight is one subgroup, whose invocations can read each other's registers.
 *
 * It is on llvmpipe with 256-bit vectors, where it saves most of the loads of a matrix product. Deno 2.9.6 grants the feature there though
 * the adapter does not list it, and its compiler (naga) takes `subgroupBroadcast` only in a shader without `enable subgroups;`, which
 * Chrome's demands. So nothing is believed that was not seen: a shader is run, and where it is refused, or answers wrongly, kernels that
 * need no subgroups do the work.
 */
/** Invocations of the subgroups that kernels are written for. */
const LANES = 8;

/** Each invocation gives its index to all, in turn. */
const PROBE = `
@group(0) @binding(0) var<storage, read_write> seen: array<u32>;
@compute @workgroup_size(${LANES})
fn main(@builtin(local_invocation_index) i: u32) {
  ${
  Array.from({ length: LANES }, (_, lane) =>
    `seen[i * ${LANES}u + ${lane}u] = subgroupBroadcast(i + 1u, ${lane}u);`).join("\n  ")
}
}`;

/** Whether it is worth asking this adapter for subgroups: GPUs have other kernels. */
export function mayHaveSubgroups(info: GPUAdapterInfo, software: boolean): boolean {
  return software && info.subgroupMinSize === LANES && info.subgroupMaxSize === LANES;
}

/** Runs the probe on a device that was granted `subgroups`. */
export async function subgroupsWork(device: GPUDevice): Promise<boolean> {
  device.pushErrorScope("validation");
  const label = "subgroup probe";
  const pipeline = device.createComputePipeline({
    label,
    layout: "auto",
    compute: { module: device.createShaderModule({ label, code: PROBE }), entryPoint: "main" },
  });
  if (await device.popErrorScope()) return false;
  const size = 4 * LANES * LANES;
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const seen = device.createBuffer({ label, size, usage: STORAGE | COPY_SRC });
  const staging = device.createBuffer({ label, size, usage: MAP_READ | COPY_DST });
  const layout = pipeline.getBindGroupLayout(0);
  const group = device.createBindGroup({
    layout,
    entries: [{ binding: 0, resource: { buffer: seen } }],
  });
  const encoder = device.createCommandEncoder({ label });
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(seen, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const right = new Uint32Array(staging.getMappedRange()).every((v, i) => v === i % LANES + 1);
  staging.destroy();
  seen.destroy();
  return right;
}
