import type { Command } from 'commander';
import { ClientError } from '../client-error';
import { exitCodes } from '../exit-codes';
import { decide, decisionOptions, type DecisionOptions } from '../decide';
import type { CarryOut } from '../program';
import { examples } from './help';

export function addRetryVerb(program: Command, carryOut: CarryOut): void {
  const verb = program
    .command('retry')
    .summary('try a stuck step again')
    .description(
      'Begins a stuck step again, once its cause is mended. A step looks first how far it came: nothing is done twice.',
    )
    .argument('<run>', 'name of the run')
    .argument('[step]', 'id of the step, as status shows it; every stuck step unless given')
    .option('--failed', 'drive the documents again that the target refused, before the cutover');
  decisionOptions(verb, false)
    .addHelpText(
      'after',
      examples(
        ["shardlift retry logs batch-0003/restore --reason 'disk enlarged'", 'one step'],
        ['shardlift retry logs', 'every stuck step'],
        ["shardlift retry logs --failed --reason 'mapping corrected'", 'documents that the target refused'],
      ),
    )
    .action((run: string, step: string | undefined, options: DecisionOptions & { failed?: true }, command: Command) =>
      carryOut(command, async (session) => {
        if (options.failed === true) {
          if (step !== undefined)
            throw new ClientError(exitCodes.inputWrong, '--failed is about the whole run', 'leave the step out');
          return decide(session, {
            verb: 'retryFailed',
            run,
            args: {},
            done: `Driving the refused documents of ${run} again`,
            options,
          });
        }
        return decide(session, {
          verb: 'retry',
          run,
          subject: step,
          args: step === undefined ? {} : { step },
          done: step === undefined ? `Retrying every stuck step of ${run}` : `Retrying ${step} of ${run}`,
          options,
        });
      }),
    );
}
