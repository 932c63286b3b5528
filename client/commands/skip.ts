import type { Command } from 'commander';
import { decide, decisionOptions, type DecisionOptions } from '../decide';
import type { CarryOut } from '../program';
import { examples } from './help';

export function addSkipVerb(program: Command, carryOut: CarryOut): void {
  const verb = program
    .command('skip')
    .summary('go on without a stuck step')
    .description(
      'Goes on as if a stuck step were done. What it should have done stays undone: the run can then only end\n' +
        '"completed with differences" (exit code 7), and the report says what was skipped, by whom and why.',
    )
    .argument('<run>', 'name of the run')
    .argument('<step>', 'id of the step, as status shows it')
    .option('-y, --yes', 'do not ask');
  decisionOptions(verb, true)
    .addHelpText(
      'after',
      examples(["shardlift skip logs batch-0003/restore --reason 'index is not needed any more'", '']),
    )
    .action((run: string, step: string, options: DecisionOptions, command: Command) =>
      carryOut(command, (session) =>
        decide(session, {
          verb: 'skip',
          run,
          subject: step,
          args: { step },
          done: `Skipped ${step} of ${run}`,
          options,
          needsReason: true,
          irreversible: `${run} goes on without ${step}, and ends "completed with differences".`,
        }),
      ),
    );
}
