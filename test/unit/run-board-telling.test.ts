import { RunBoard } from '../../workflows/run-board';
import type { BatchDecision } from '../../workflows/messages';

/** A board as far as telling a child goes that has just started: the moment itself cannot be met from outside. */
function boardAt(steering: number) {
  const board = { steering, runner: { isPaused: false }, runbook: { name: 'first' } };
  const told: string[] = [];
  const tell =
    (onTold: () => void = () => undefined) =>
    async (message: BatchDecision) => {
      told.push(message.verb === 'tune' ? `tune ${message.runbook?.name ?? ''}` : message.verb);
      await Promise.resolve();
      onTold();
    };
  const since = (begun: number, onTold?: () => void) =>
    RunBoard.prototype.tellSince.call(board as unknown as RunBoard, begun, tell(onTold));
  return { board, told, since };
}

test('nothing was decided: nothing is told', async () => {
  const { told, since } = boardAt(3);
  await since(3);
  expect(told).toEqual([]);
});

test('what was decided while it was starting, and while that was told', async () => {
  const { board, told, since } = boardAt(4);
  let isDecided = false;
  await since(3, () => {
    if (isDecided) return;
    isDecided = true;
    Object.assign(board, { steering: 5, runbook: { name: 'second' } });
    board.runner.isPaused = true;
  });
  expect(told).toEqual(['tune first', 'resume', 'tune second', 'pause']);
});
