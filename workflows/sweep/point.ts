/**
 * One point of a sweep: what is to be computed and what comes out, both as plain data that travels through queues and files.
 */
import type { TrainConfig } from "../config/config.ts";
import type { SweepExam } from "./spec.ts";

/** Stages that several points begin with. */
export interface SharedStages {
  /** SHA-256 of all that decides their outcome. */
  readonly key: string;
  /** Their configuration. */
  readonly config: TrainConfig;
}

/** Stages to be trained and an exam to be sat. */
export interface TrainingWork {
  /** Tells the kinds of work apart. */
  readonly kind: "training";
  /** The whole programme. */
  readonly config: TrainConfig;
  /** Its first stages, where they are trained once for many points. */
  readonly shared: SharedStages | null;
  /** The exam. */
  readonly exam: SweepExam;
  /** Weights of Eq. 53. */
  readonly capability: Readonly<Record<string, number>>;
}

/** A function to be measured. */
export interface ModuleWork {
  /** Tells the kinds of work apart. */
  readonly kind: "module";
  /** Its file. */
  readonly path: string;
}

/** A point to be computed. */
export interface Point {
  /** SHA-256 of configuration, data, seed and code. */
  readonly key: string;
  /** The values that were swept. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Its seed. */
  readonly seed: number;
  /** What is to be computed. */
  readonly work: TrainingWork | ModuleWork;
}

/** A number with its interval; larger is better. */
export interface Measure {
  /** The estimate. */
  readonly value: number;
  /** Lower end of the 95% interval; the value itself where there is none. */
  readonly low: number;
  /** Upper end. */
  readonly high: number;
  /** Of a rate: hits. */
  readonly k?: number;
  /** Of a rate: trials. */
  readonly n?: number;
}

/** Measures by name. */
export type Measures = Readonly<Record<string, Measure>>;

/** What a point computes; equal inputs on one adapter give equal bytes. */
export interface PointResult {
  /** The point's key. */
  readonly key: string;
  /** The values that were swept. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Its seed. */
  readonly seed: number;
  /** What decides: fronts, lambda*, where an adaptive sweep looks next. */
  readonly validation: Measures;
  /** What is reported of those; null where nothing else was measured. */
  readonly test: Measures | null;
  /** What it took, in units that are the same on every machine, e.g. optimiser steps and tokens. */
  readonly cost: Readonly<Record<string, number>>;
}

/** What a module for {@linkcode SweepSpec.point} exports as its default: plain numbers are measures without an interval. */
export type PointFunction = (
  values: Readonly<Record<string, unknown>>,
  seed: number,
  hooks: {
    /** Tells how far it is. */
    progress(done: number, of: number): void;
    /** True once it should give up; what it returns then is thrown away. */
    stopped(): boolean;
  },
) => ModuleResult | Promise<ModuleResult>;

/** What such a function finds. */
export interface ModuleResult {
  /** What decides. */
  readonly validation: Readonly<Record<string, number | Measure>>;
  /** What is reported. */
  readonly test?: Readonly<Record<string, number | Measure>>;
  /** What it took. */
  readonly cost?: Readonly<Record<string, number>>;
}

/** `stages.imprint.rho=0.1 seed=2`: a point for people. */
export function pointName({ values, seed }: Pick<Point, "values" | "seed">): string {
  return `${settingName(values)} seed=${seed}`;
}

/** `stages.imprint.rho=0.1`. */
export function settingName(values: Readonly<Record<string, unknown>>): string {
  return Object.entries(values).map(([key, value]) =>
    `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`
  ).join(" ");
}
