/** What the page tells the test that started it. */

/** One message of the page. */
export type Report =
  | {
    /** A file needs what a page does not have. */
    readonly kind: "skipped";
    readonly file: string;
    readonly reason: string;
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
