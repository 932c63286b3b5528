import type { Command } from 'commander';
import { withTemporal } from '../connection';
import { follow } from '../follow';
import { parseDuration } from '../format';
import type { CarryOut } from '../program';
import { chooseRun } from '../runs';
import { examples } from './help';

interface WatchOptions {
  untilGate?: boolean;
  timeout?: string;
}

export function addWatchVerb(program: Command, carryOut: CarryOut): void {
  program
    .command('watch')
    .summary('look on until a run ends')
    .description(
      'Shows phases, batches, rates and what waits for whom until the run ends, and ends with its exit code. On anything\n' +
        'but a terminal it prints a line when something changes; with -o json one status a line. When the run needs a person it\n' +
        'says what for, with the remedy and the command, and looks on. Ctrl-C leaves the run alone.',
    )
    .argument('[run]', 'name of the run; the one under way, or else the latest, unless given')
    .option('--until-gate', 'end with 5 as soon as the run needs a person: a gate, a stuck step, a pause')
    .option('--timeout <time>', 'end with 6 after that time, such as 90s, 30m or 2h')
    .addHelpText(
      'after',
      examples(
        ['shardlift watch logs', 'until it ends'],
        ['shardlift watch logs --until-gate --timeout 8h', 'in a script that pages somebody'],
        ['shardlift watch logs > logs.txt', 'a line for each change'],
      ),
    )
    .action((run: string | undefined, options: WatchOptions, command: Command) =>
      carryOut(command, (session) => {
        const timeoutMs = options.timeout === undefined ? undefined : parseDuration(options.timeout, '--timeout');
        return withTemporal(session, async (temporal) =>
          follow(session, temporal, await chooseRun(temporal, run), { untilGate: options.untilGate, timeoutMs }),
        );
      }),
    );
}
