// What optimizer kernels share: the step's numbers and the scaled, clipped gradient.
// knobs: 0 learning rate, 1 1 - beta1^t, 2 1 - beta2^t, 3 largest gradient norm (<= 0: any), 4 gradient scale.
// metrics[norm_index] is the norm of the unscaled gradients, metrics[norm_index + 1] is 1 when one of them is not finite.
struct StepNumbers { rate: f32, correction1: f32, correction2: f32, gradient: f32, skip: bool }

fn step_numbers() -> StepNumbers {
  let scale = knobs[1].x;
  let most = knobs[0].w;
  let norm = metrics[shape.norm_index] * scale;
  // No clipping is chosen by select: a factor computed from most <= 0 would be negative.
  let clip = select(1.0, min(1.0, most / (norm + 1e-6)), most > 0.0);
  let skip = metrics[shape.norm_index + 1u] != 0.0;
  return StepNumbers(knobs[0].x, knobs[0].y, knobs[0].z, scale * clip, skip);
}
