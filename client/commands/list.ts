import { InvalidArgumentError, type Command } from 'commander';
import { withTemporal } from '../connection';
import { exitCodes, type ExitCode } from '../exit-codes';
import { formatSeconds, formatTime, withoutControls } from '../format';
import type { CarryOut } from '../program';
import { listRuns, type RunFilter, type RunListing } from '../runs';
import type { Session } from '../session';
import { paintState } from '../views/status-words';
import { table } from '../views/table';
import { examples } from './help';

export function addListVerb(program: Command, carryOut: CarryOut): void {
  program
    .command('list')
    .alias('ls')
    .summary('all runs')
    .description('Lists runs, the latest first, with their state and phase.')
    .option('--running', 'only runs that have not ended')
    .option('--state <state>', 'only runs in that state, such as stuck or waiting')
    .option('--limit <n>', 'most runs to list', wholeNumber, 50)
    .addHelpText(
      'after',
      examples(['shardlift list --running', 'what is under way'], ['shardlift list --state stuck', 'what needs help']),
    )
    .action((options: RunFilter, command: Command) => carryOut(command, (session) => list(session, options)));
}

async function list(session: Session, filter: RunFilter): Promise<ExitCode> {
  const runs = await withTemporal(session, (temporal) => listRuns(temporal, filter));
  session.print(runs, () => (runs.length === 0 ? 'no runs' : listTable(withoutControls(runs), session)));
  return exitCodes.done;
}

function listTable(runs: readonly RunListing[], session: Session): string {
  const rows = runs.map((each) => {
    const end = each.endedAt === undefined ? session.now.getTime() : Date.parse(each.endedAt);
    return [
      each.run,
      paintState(each.state, session.paint),
      each.phase ?? '',
      formatTime(each.startedAt),
      formatTime(each.endedAt),
      formatSeconds((end - Date.parse(each.startedAt)) / 1000),
    ];
  });
  const columns = [
    { name: 'RUN' },
    { name: 'STATE' },
    { name: 'PHASE' },
    { name: 'STARTED' },
    { name: 'ENDED' },
    { name: 'TIME', align: 'right' as const },
  ];
  return table(columns, rows, session.paint);
}

export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError(`found "${text}", expected a whole number.`);
  return Number(text);
}
