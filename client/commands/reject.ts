import type { Command } from 'commander';
import { withTemporal } from '../connection';
import { decideWith, decisionOptions, type DecisionOptions } from '../decide';
import type { CarryOut } from '../program';
import { openGate } from './approve';
import { examples } from './help';

export function addRejectVerb(program: Command, carryOut: CarryOut): void {
  const verb = program
    .command('reject')
    .summary('refuse a gate')
    .description(
      'Answers no at a gate where a run waits. What was moved stays; `shardlift status` tells what can be done next.',
    )
    .argument('<run>', 'name of the run')
    .argument('[gate]', 'move, cutover or finish; the open one unless given');
  decisionOptions(verb, true)
    .addHelpText('after', examples(["shardlift reject logs cutover --reason 'the shop sells until midnight'", '']))
    .action((run: string, gate: string | undefined, options: DecisionOptions, command: Command) =>
      carryOut(command, (session) =>
        withTemporal(session, async (temporal) => {
          const name = gate ?? (await openGate(temporal, run)).gate;
          return decideWith(session, temporal, {
            verb: 'reject',
            run,
            subject: name,
            args: { gate: name },
            done: `Rejected the gate ${name} of ${run}`,
            options,
            needsReason: true,
          });
        }),
      ),
    );
}
