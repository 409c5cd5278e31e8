/**
 * The process of one peer that npm fetches. The peer's name is the first argument.
 */
import type { Library } from "../contest.ts";
import { jaxJs } from "./jax_js.ts";
import type { PackagePeer } from "./packages.ts";
import { serveLibrary } from "./serve.ts";
import { tfjs } from "./tfjs.ts";

const LIBRARIES: Readonly<Record<PackagePeer, () => Promise<Library>>> = { "jax-js": jaxJs, tfjs };

if (import.meta.main) await serveLibrary(LIBRARIES[Deno.args[0] as PackagePeer]);
