// Layout of the settings buffer, u32 [16]; floats by their bits.
// settings.ts writes it.
const TEMPERATURE = 0u; // 0: greedy
const TOP_K = 1u; // 0: all
const TOP_P = 2u; // 1: all
const PENALTY = 3u; // 1: none
const SEED = 4u;
const PAD = 5u;
const STOPS = 6u; // how many stop tokens follow at FIRST_STOP
const FIRST_STOP = 8u;
