import type { Command } from 'commander';
import { withTemporal } from '../connection';
import { exitCodeOf, exitCodes, type ExitCode } from '../exit-codes';
import type { CarryOut } from '../program';
import { chooseRun } from '../runs';
import type { Session } from '../session';
import { readStatus } from '../status';
import { statusView } from '../views/status-view';
import { examples } from './help';

interface StatusOptions {
  all?: boolean;
  exitCode?: boolean;
}

export function addStatusVerb(program: Command, carryOut: CarryOut): void {
  program
    .command('status')
    .summary('how a run is')
    .description('Shows where a run is, what it does right now, what waits for whom, and the command that moves it on.')
    .argument('[run]', 'name of the run; the one under way, or else the latest, unless given')
    .option('-a, --all', 'every step and every batch, also those that are done or did not begin')
    .option(
      '--exit-code',
      "end with the run's state: 0 going on or done, 1 failed or aborted, 5 needs a person, 7 differences",
    )
    .addHelpText(
      'after',
      examples(
        ['shardlift status', 'the run under way'],
        ['shardlift status logs --all', 'with every step'],
        ['shardlift status logs -o json | jq .state', 'for scripts'],
        ['shardlift status logs --exit-code', 'for monitoring'],
      ),
    )
    .action((run: string | undefined, options: StatusOptions, command: Command) =>
      carryOut(command, (session) => showStatus(session, run, options)),
    );
}

async function showStatus(session: Session, named: string | undefined, options: StatusOptions): Promise<ExitCode> {
  const status = await withTemporal(session, async (temporal) =>
    readStatus(temporal, await chooseRun(temporal, named)),
  );
  session.print(status, () =>
    statusView(status, { now: session.now, paint: session.paint, all: options.all, bars: session.isTerminal }),
  );
  // Only Temporal answered, not the run: whoever asked did not get what was asked for.
  if (status.warnings.length > 0) return exitCodes.failed;
  return options.exitCode === true ? exitCodeOf(status.state) : exitCodes.done;
}
