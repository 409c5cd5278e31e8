/**
 * Asks WebGPU for adapters and prints those it got as one line of JSON, best first (`[]` for none).
 *
 * A process of its own, because drivers read the environment once, a driver installed later is not seen by a
 * process that has asked before, and a broken driver may hang or crash whoever asks.
 */
const wanted = Deno.args[0] ?? "";
const attempts: GPURequestAdapterOptions[] = wanted === "software"
  ? [{ forceFallbackAdapter: true }, {}]
  : [{ powerPreference: "high-performance" }, {}, { forceFallbackAdapter: true }];

const found: { vendor: string; architecture: string; description: string; software: boolean }[] =
  [];
for (const attempt of attempts) {
  const adapter = await navigator.gpu?.requestAdapter(attempt);
  if (!adapter) continue;
  const { vendor, architecture, description } = adapter.info;
  const { isFallbackAdapter } = adapter.info as { isFallbackAdapter?: boolean };
  const software = isFallbackAdapter === true ||
    /llvmpipe|lavapipe|swiftshader|software/i.test(description);
  if (!found.some((other) => other.description === description)) {
    found.push({ vendor, architecture, description, software });
  }
}
console.log(JSON.stringify(found));
