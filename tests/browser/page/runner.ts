/**
 * Runs test files inside a web page: collects what they register through a stand-in for `Deno.test`, runs it and posts one
 * report per test to the server that the page came from.
 *
 * It also notes the text of every shader that was dispatched, so that nobody can forget to test a kernel here.
 */
import type { Report } from "../reports.ts";

interface Registered {
  readonly name: string;
  readonly fn: () => unknown;
  readonly ignore?: boolean;
}

let registered: Registered[] = [];

/** Everything of `Deno` that tests of kernels/ use; there are no variables and no files here. */
const deno = {
  test(test: string | Registered, fn?: Registered["fn"]): void {
    registered.push(typeof test === "string" ? { name: test, fn: fn! } : test);
  },
  build: { os: "browser" },
  env: { get: () => undefined },
  statSync: () => {
    throw new Error("a web page has no files");
  },
};

/** Shaders by module and by pipeline, and those that ran. */
const modules = new WeakMap<GPUShaderModule, string>();
const pipelines = new WeakMap<GPUComputePipeline, string>();
const dispatched = new Set<string>();

/** Calls `note` with every call of a method, which stays what it is. */
function observe<T extends object, A extends unknown[], R>(
  prototype: T,
  method: (this: T, ...args: A) => R,
  note: (self: T, result: R, ...args: A) => void,
): void {
  Reflect.set(prototype, method.name, function (this: T, ...args: A): R {
    const result = method.apply(this, args);
    note(this, result, ...args);
    return result;
  });
}

function observeShaders(): void {
  const { createShaderModule, createComputePipeline } = GPUDevice.prototype;
  observe(GPUDevice.prototype, createShaderModule, (_, module, { code }) => {
    modules.set(module, code);
  });
  observe(GPUDevice.prototype, createComputePipeline, (_, pipeline, { compute }) => {
    pipelines.set(pipeline, modules.get(compute.module)!);
  });
  const current = new WeakMap<GPUComputePassEncoder, string>();
  const { setPipeline, dispatchWorkgroups } = GPUComputePassEncoder.prototype;
  observe(GPUComputePassEncoder.prototype, setPipeline, (pass, _, pipeline) => {
    current.set(pass, pipelines.get(pipeline)!);
  });
  observe(GPUComputePassEncoder.prototype, dispatchWorkgroups, (pass) => {
    dispatched.add(current.get(pass)!);
  });
}

async function post(report: Report): Promise<void> {
  await fetch("/reports", { method: "POST", body: JSON.stringify(report) });
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack}` : String(error);
}

async function runTest(file: string, { name, fn, ignore }: Registered): Promise<void> {
  if (ignore) return await post({ kind: "skipped", file, name });
  const begin = performance.now();
  let error: string | null = null;
  try {
    await fn();
  } catch (thrown) {
    error = textOf(thrown);
  }
  await post({ kind: "test", file, name, error, ms: performance.now() - begin });
}

async function main(): Promise<void> {
  const files: string[] = await (await fetch("/files.json")).json();
  Reflect.set(globalThis, "Deno", deno);
  observeShaders();
  for (const file of files) {
    registered = [];
    await runTest(file, { name: "the file loads", fn: () => import(`/${file}`) });
    for (const test of registered) await runTest(file, test);
  }
  const { info, features } = (await navigator.gpu.requestAdapter())!;
  await post({
    kind: "end",
    adapter: `${info.vendor} ${info.architecture}`,
    hasF16: features.has("shader-f16"),
    shaders: [...dispatched],
  });
}

await main().catch((error) => post({ kind: "broken", error: textOf(error) }));
