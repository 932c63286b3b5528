import type { Command } from 'commander';
import { decide, decisionOptions, type DecisionOptions } from '../decide';
import type { CarryOut } from '../program';
import { examples } from './help';

export function addPauseVerb(program: Command, carryOut: CarryOut): void {
  const verb = program
    .command('pause')
    .summary('begin no new step')
    .description(
      'Lets the steps under way come to their end and begins no new one. The clusters stay as they are; resume goes on.',
    )
    .argument('<run>', 'name of the run');
  decisionOptions(verb, false)
    .addHelpText('after', examples(["shardlift pause logs --reason 'backup window until 4'", '']))
    .action((run: string, options: DecisionOptions, command: Command) =>
      carryOut(command, (session) => decide(session, { verb: 'pause', run, args: {}, done: `Paused ${run}`, options })),
    );
}
