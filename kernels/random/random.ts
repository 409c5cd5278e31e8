/**
 * The WGSL of the counter-based random numbers that dropout and sampling share.
 */
import code from "./random.wgsl" with { type: "text" };

/** WGSL of `pcg_hash`, `stream_key`, `random4` and `uniform4`. */
export const RANDOM_FUNCTIONS: string = code;
