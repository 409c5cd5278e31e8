import { failureGame } from "../../../workflows/evaluate/failures.ts";
import { controlScores } from "../../../workflows/evaluate/nursery_exam.ts";
import { solveMatrixGame } from "../../../workflows/theory/games/matrix_game.ts";
import { assert, assertEquals } from "../../assert.ts";

Deno.test("failures: who refuses all fails the harmless, who helps fails the harmful, a coin halves it", () => {
  const scores = controlScores({ dialogues: 3, split: "validation", seed: 1 });
  const { policies, requests, matrix } = failureGame({
    refuse: scores["refuse-all"],
    help: scores["helpful-only"],
    know: scores.oracle,
  });
  assertEquals(policies, ["refuse", "help", "know"]);
  assert(requests.length > 20, `only ${requests.length} ways of asking`);
  requests.forEach(({ family, harmful }, j) => {
    const [refuse, help, know] = matrix.map((row) => row[j]);
    assertEquals([refuse, help, know], [Number(!harmful), Number(harmful), 0], family);
  });
  const { value, row } = solveMatrixGame(matrix.slice(0, 2));
  assertEquals([value, ...row], [0.5, 0.5, 0.5]);
});

Deno.test("failures: a family that one policy was not asked is left out", () => {
  const { refuse, help } = { refuse: "refuse-all", help: "helpful-only" };
  const scores = controlScores({ dialogues: 1, split: "validation", seed: 1 });
  const { plain } = scores[help].howto;
  const { requests } = failureGame({
    refuse: scores[refuse],
    help: { ...scores[help], howto: { plain } },
  });
  assertEquals(requests, [{ family: "plain", harmful: true }, { family: "plain", harmful: false }]);
  assertEquals(failureGame({}).matrix, []);
});
