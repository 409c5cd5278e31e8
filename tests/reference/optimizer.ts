/**
 * Optimisers: AdamW (Loshchilov and Hutter, arXiv:1711.05101), SGD with momentum as PyTorch defines it (the
 * learning rate multiplies the velocity, not each gradient on its way into it), and clipping by the global norm (Pascanu et al., 2013).
 *
 * Parameters and gradients are maps by name; a step changes the parameters and its own state in place.
 */
import { dot } from "./numbers.ts";

/** Tensors by parameter name. */
export type Tensors = Map<string, Float64Array>;

/** Hyper-parameters of AdamW. */
export interface AdamWOptions {
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  /** Whether a parameter decays; by convention only those with two dimensions do. */
  readonly decays: (name: string) => boolean;
}

/** Running moments of AdamW; `steps` counts finished updates. */
export interface AdamWState {
  steps: number;
  readonly m: Tensors;
  readonly v: Tensors;
}

/** Hyper-parameters of SGD. */
export interface SgdOptions {
  readonly lr: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly nesterov: boolean;
  readonly decays: (name: string) => boolean;
}

/** sqrt of the sum of squares over all tensors. */
export function globalNorm(tensors: Tensors): number {
  let sum = 0;
  for (const tensor of tensors.values()) sum += dot(tensor, tensor);
  return Math.sqrt(sum);
}

/** min(1, maxNorm / (norm + 1e-6)), as PyTorch's `clip_grad_norm_`. */
export function clipFactor(norm: number, maxNorm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6));
}

/** The gradients times the clip factor, and their norm before. */
export function clipByGlobalNorm(
  gradients: Tensors,
  maxNorm: number,
): { clipped: Tensors; norm: number } {
  const norm = globalNorm(gradients);
  const factor = clipFactor(norm, maxNorm);
  const clipped = new Map(Array.from(gradients, ([name, g]) => [name, g.map((x) => x * factor)]));
  return { clipped, norm };
}

/** A state before the first step. */
export function adamwState(parameters: Tensors): AdamWState {
  return { steps: 0, m: zerosLike(parameters), v: zerosLike(parameters) };
}

/**
 * theta *= 1 - lr wd;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
 * theta -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).
 */
export function adamwStep(
  parameters: Tensors,
  gradients: Tensors,
  state: AdamWState,
  { lr, betas: [b1, b2], eps, weightDecay, decays }: AdamWOptions,
): void {
  state.steps += 1;
  const [correction1, correction2] = [1 - b1 ** state.steps, 1 - b2 ** state.steps];
  for (const [name, theta] of parameters) {
    const [g, m, v] = [gradients.get(name)!, state.m.get(name)!, state.v.get(name)!];
    const keep = 1 - lr * (decays(name) ? weightDecay : 0);
    for (let i = 0; i < theta.length; i++) {
      m[i] = b1 * m[i] + (1 - b1) * g[i];
      v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2;
      theta[i] = keep * theta[i] -
        lr * (m[i] / correction1) / (Math.sqrt(v[i] / correction2) + eps);
    }
  }
}

/** Velocities before the first step: none, so that the first velocity is the first gradient. */
export function sgdState(parameters: Tensors): Tensors {
  return zerosLike(parameters);
}

/** g += wd theta;  u = momentum u + g;  theta -= lr (nesterov ? g + momentum u : u). */
export function sgdStep(
  parameters: Tensors,
  gradients: Tensors,
  velocity: Tensors,
  { lr, momentum, weightDecay, nesterov, decays }: SgdOptions,
): void {
  for (const [name, theta] of parameters) {
    const [gradient, u] = [gradients.get(name)!, velocity.get(name)!];
    const decay = decays(name) ? weightDecay : 0;
    for (let i = 0; i < theta.length; i++) {
      const g = gradient[i] + decay * theta[i];
      u[i] = momentum * u[i] + g;
      theta[i] -= lr * (nesterov ? g + momentum * u[i] : u[i]);
    }
  }
}

function zerosLike(tensors: Tensors): Tensors {
  return new Map(Array.from(tensors, ([name, t]) => [name, new Float64Array(t.length)]));
}
