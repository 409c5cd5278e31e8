/**
 * A sweep's progress for people: a line for every result, and what is being computed now.
 */
import { type Screen, stderrScreen } from "../logging/progress.ts";
import { duration } from "../logging/speed.ts";
import type { PointProgress } from "./engine.ts";
import { type Point, pointName, type PointResult } from "./point.ts";
import type { SweepListener } from "./sweep.ts";

const REDRAW_MS = 200;
const PLAIN_LINE_MS = 10_000;

/**
 * Shows progress on a screen: on a terminal the last line is redrawn, elsewhere a line is written now and then.
 * @param objectives The two measures that a result's line tells.
 */
export function sweepProgress(
  objectives: readonly string[],
  screen: Screen = stderrScreen(),
): SweepListener & { end(): void } {
  let [planned, done, computed] = [0, 0, 0];
  let [begun, drawnAt, drawn] = [screen.now(), -Infinity, false];
  const running = new Map<string, string>();

  const clear = () => {
    if (drawn) screen.write("\r\x1b[K");
    drawn = false;
  };
  const note = (line: string) => {
    clear();
    screen.write(`${line}\n`);
  };
  const left = () => {
    const seconds = (screen.now() - begun) / 1000;
    return computed === 0 ? "" : `  ETA ${duration(seconds / computed * (planned - done))}`;
  };
  const draw = () => {
    const { terminal } = screen;
    if (screen.now() - drawnAt < (terminal ? REDRAW_MS : PLAIN_LINE_MS)) return;
    drawnAt = screen.now();
    const line = `${done}/${planned}${left()}  ${[...running.values()].join("; ")}`;
    if (!terminal) return note(line);
    clear();
    screen.write(line.slice(0, Math.max(0, screen.columns() - 1)));
    drawn = true;
  };
  return {
    note,
    round(points, known) {
      [planned, done, computed, begun] = [points, known, 0, screen.now()];
      if (known > 0 && known < points) note(`${known} of ${points} points have results already`);
    },
    done(point: Point, { validation }: PointResult) {
      [done, computed] = [done + 1, computed + 1];
      running.delete(point.key);
      const found = objectives.map((name) =>
        `${name} ${validation[name]?.value.toFixed(3) ?? "missing"}`
      );
      note(`${done}/${planned}  ${pointName(point)}  ${found.join("  ")}${left()}`);
    },
    progress(point: Point, { stage, step, of }: PointProgress) {
      running.set(point.key, `${pointName(point)}: ${stage} ${step}/${of}`);
      draw();
    },
    end: clear,
  };
}
