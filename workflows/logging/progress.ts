/**
 * Progress for people, on stderr: one bar that is redrawn on a terminal, a plain line every few seconds in a log.
 */
import type { Reporter, StepReport } from "./reporter.ts";
import { duration, Speed } from "./speed.ts";

/** Where progress is shown. */
export interface Screen {
  /** A terminal that understands carriage returns; otherwise plain lines are written. */
  readonly terminal: boolean;
  /** Bold and dim may be used. */
  readonly colour: boolean;
  /** Columns of the terminal, now. */
  columns(): number;
  /** Writes text as it is. */
  write(text: string): void;
  /** Milliseconds on a clock that never goes back. */
  now(): number;
}

/** Standard error, honouring `NO_COLOR` and `TERM=dumb`. */
export function stderrScreen(): Screen {
  const terminal = Deno.stderr.isTerminal() && Deno.env.get("TERM") !== "dumb";
  return {
    terminal,
    colour: terminal && !Deno.noColor,
    columns() {
      try {
        return Deno.consoleSize().columns;
      } catch {
        return 80; // stderr is a terminal, stdin and stdout are not
      }
    },
    write: (text) => void Deno.stderr.writeSync(new TextEncoder().encode(text)),
    now: () => performance.now(),
  };
}

const REDRAW_MS = 100;
const PLAIN_LINE_MS = 5000;

/** A progress display on `screen`. */
export function progress(screen: Screen = stderrScreen()): Reporter {
  return screen.terminal ? new Bar(screen) : new PlainLines(screen);
}

/** The facts of one stage that both displays show. */
class StageProgress {
  readonly name: string;
  readonly total: number;
  readonly #speed = new Speed();
  #last: StepReport | null = null;

  constructor(name: string, total: number) {
    this.name = name;
    this.total = total;
  }

  add(report: StepReport, now: number): void {
    this.#last = report;
    this.#speed.add(now, report.step, report.tokens);
  }

  get step(): number {
    return this.#last?.step ?? 0;
  }

  /** `loss 1.234  5,012 tok/s  ETA 1m32s`, as far as known. */
  facts(): string[] {
    const facts: string[] = [];
    if (this.#last) facts.push(`loss ${this.#last.loss.toFixed(4)}`);
    const rate = this.#speed.tokensPerSecond;
    if (rate !== null) facts.push(`${Math.round(rate).toLocaleString("en-US")} tok/s`);
    const left = this.#speed.secondsLeft(this.total);
    if (left !== null && this.step < this.total) facts.push(`ETA ${duration(left)}`);
    return facts;
  }

  counts(): string {
    return `${this.step}/${this.total}`;
  }
}

/** One line, redrawn in place. */
class Bar implements Reporter {
  readonly #screen: Screen;
  #stage: StageProgress | null = null;
  #drawnAt = -Infinity;
  #drawn = false;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  stage(name: string, totalSteps: number): void {
    this.#finishLine();
    this.#stage = new StageProgress(name, totalSteps);
    this.#draw();
  }

  step(report: StepReport): void {
    this.#stage?.add(report, this.#screen.now());
    const due = this.#screen.now() - this.#drawnAt >= REDRAW_MS;
    if (due || report.step === this.#stage?.total) this.#draw();
  }

  metrics(step: number, values: Readonly<Record<string, number>>): void {
    this.note(metricsLine(this.#stage?.name, step, values));
  }

  note(line: string): void {
    this.#clear();
    this.#screen.write(`${line}\n`);
    this.#draw();
  }

  done(): void {
    this.#finishLine();
  }

  #draw(): void {
    const stage = this.#stage;
    if (!stage) return;
    this.#drawnAt = this.#screen.now();
    const share = Math.min(1, stage.step / stage.total);
    const percent = `${Math.floor(100 * share)}%`.padStart(4);
    const right = [stage.counts(), percent, ...stage.facts()].join("  ");
    const cells = Math.max(
      0,
      Math.min(30, this.#screen.columns() - stage.name.length - right.length - 5),
    );
    const full = Math.round(share * cells);
    const bar = cells < 5 ? "" : `${"━".repeat(full)}${this.#dim("━".repeat(cells - full))}  `;
    this.#clear();
    this.#screen.write(`${this.#bold(stage.name)}  ${bar}${right}`);
    this.#drawn = true;
  }

  #clear(): void {
    if (this.#drawn) this.#screen.write("\r\x1b[K");
    this.#drawn = false;
  }

  #finishLine(): void {
    if (this.#stage) this.#draw();
    if (this.#drawn) this.#screen.write("\n");
    this.#drawn = false;
    this.#stage = null;
  }

  #bold(text: string): string {
    return this.#screen.colour ? `\x1b[1m${text}\x1b[22m` : text;
  }

  /** Without colour the rest of the bar is told apart by another sign. */
  #dim(text: string): string {
    return this.#screen.colour ? `\x1b[2m${text}\x1b[22m` : text.replaceAll("━", "─");
  }
}

/** A line at the start and the end of a stage and every few seconds between. */
class PlainLines implements Reporter {
  readonly #screen: Screen;
  #stage: StageProgress | null = null;
  #writtenAt = -Infinity;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  stage(name: string, totalSteps: number): void {
    this.#stage = new StageProgress(name, totalSteps);
    this.#writtenAt = this.#screen.now();
    this.note(`${name}: ${totalSteps} steps`);
  }

  step(report: StepReport): void {
    const stage = this.#stage;
    if (!stage) return;
    stage.add(report, this.#screen.now());
    const due = this.#screen.now() - this.#writtenAt >= PLAIN_LINE_MS;
    if (!due && report.step < stage.total) return;
    this.#writtenAt = this.#screen.now();
    this.note(`${stage.name}: ${[stage.counts(), ...stage.facts()].join("  ")}`);
  }

  metrics(step: number, values: Readonly<Record<string, number>>): void {
    this.note(metricsLine(this.#stage?.name, step, values));
  }

  note(line: string): void {
    this.#screen.write(`${line}\n`);
  }

  done(): void {}
}

function metricsLine(
  stage: string | undefined,
  step: number,
  values: Readonly<Record<string, number>>,
): string {
  const parts = Object.entries(values).map(([name, value]) =>
    `${name} ${Number(value.toPrecision(4))}`
  );
  return `${stage ?? "run"}: step ${step}  ${parts.join("  ")}`;
}
