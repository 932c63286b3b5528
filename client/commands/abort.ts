import type { Command } from 'commander';
import { decide, decisionOptions, type DecisionOptions } from '../decide';
import type { CarryOut } from '../program';
import { examples } from './help';

export function addAbortVerb(program: Command, carryOut: CarryOut): void {
  const verb = program
    .command('abort')
    .summary('undo what a run changed, and end it')
    .description(
      'Takes back what the run changed, the latest first, each as a step that status shows: indices that it restored on\n' +
        'the target, snapshots, repositories, path.repo, mounts, exports. The documents of the source are not touched.',
    )
    .argument('<run>', 'name of the run')
    .option('-y, --yes', 'do not ask');
  decisionOptions(verb, true)
    .addHelpText('after', examples(["shardlift abort logs --reason 'moved to next week'", '']))
    .action((run: string, options: DecisionOptions, command: Command) =>
      carryOut(command, (session) =>
        decide(session, {
          verb: 'abort',
          run,
          args: {},
          done: `Aborting ${run}`,
          options,
          needsReason: true,
          irreversible: `${run} takes back what it changed: indices that it restored on the target are deleted.`,
        }),
      ),
    );
}
