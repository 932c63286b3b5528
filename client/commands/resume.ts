import type { Command } from 'commander';
import { decide, decisionOptions, type DecisionOptions } from '../decide';
import type { CarryOut } from '../program';
import { examples } from './help';

export function addResumeVerb(program: Command, carryOut: CarryOut): void {
  const verb = program
    .command('resume')
    .summary('go on after a pause')
    .description('Lets a paused run begin new steps again.')
    .argument('<run>', 'name of the run');
  decisionOptions(verb, false)
    .addHelpText('after', examples(['shardlift resume logs', '']))
    .action((run: string, options: DecisionOptions, command: Command) =>
      carryOut(command, (session) =>
        decide(session, { verb: 'resume', run, args: {}, done: `Resumed ${run}`, options }),
      ),
    );
}
