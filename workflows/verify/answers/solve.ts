/**
 * What a kind of known answers is solved by, and the shapes that inputs come in.
 */
import { z } from "zod";
import { InputError } from "../../../kernels/errors.ts";

/** Values by the names that a file expects; names left out are not covered. */
export type Solution = Readonly<Record<string, unknown>>;

/** Computes the expected values of one kind. */
export type Solve = (inputs: Readonly<Record<string, unknown>>) => Solution | Promise<Solution>;

/** Solutions by kind, `area.kind`. */
export type Kinds = Readonly<Record<string, Solve>>;

/** Takes inputs apart by a schema first. */
export function solve<Shape extends z.ZodRawShape>(
  shape: Shape,
  solution: (inputs: z.infer<z.ZodObject<Shape>>) => Solution | Promise<Solution>,
): Solve {
  const schema = z.object(shape);
  return (inputs) => {
    const { success, data, error } = schema.safeParse(inputs);
    if (success) return solution(data);
    const [{ path, message }] = error.issues;
    throw new InputError(`inputs.${path.join(".")}: ${message}`);
  };
}

/** A number. */
export const number: z.ZodNumber = z.number();
/** A list of numbers. */
export const numbers: z.ZodArray<z.ZodNumber> = z.array(number);
/** Rows of numbers. */
export const matrix: z.ZodArray<z.ZodArray<z.ZodNumber>> = z.array(numbers);
