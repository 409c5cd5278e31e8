/** What the page tells the test that started it. */

/** One message of the page. */
export type Report =
  | {
    /** A test, or all of a file, needs what a page does not have. */
    readonly kind: "skipped";
    readonly file: string;
    /** The test's name, or why the file is skipped. */
    readonly name: string;
  }
  | {
    /** A test has run. */
    readonly kind: "test";
    readonly file: string;
    readonly name: string;
    /** Null where it passed. */
    readonly error: string | null;
    readonly ms: number;
  }
  | {
    /** All tests have run. */
    readonly kind: "end";
    readonly adapter: string;
    /** The adapter computes with 16-bit floats. */
    readonly hasF16: boolean;
    /** The WGSL of every shader that was dispatched. */
    readonly shaders: readonly string[];
  }
  | {
    /** The page could not go on. */
    readonly kind: "broken";
    readonly error: string;
  };
