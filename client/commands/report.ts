import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { ClientError } from '../client-error';
import { withTemporal } from '../connection';
import { exitCodes, type ExitCode } from '../exit-codes';
import { lazy } from '../lazy';
import type { CarryOut } from '../program';
import { chooseRun } from '../runs';
import type { Session } from '../session';
import { examples } from './help';

export function addReportVerb(program: Command, carryOut: CarryOut): void {
  program
    .command('report')
    .summary('one HTML file that proves what happened')
    .description(
      'Writes one HTML file that opens offline: what was asked, what was done on which host and cluster with before and\n' +
        "after, each batch's times, checks, decisions, differences. With -o json the same as data, on stdout.",
    )
    .argument('[run]', 'name of the run; the one under way, or else the latest, unless given')
    .option('--out <file.html>', 'where to write it; <run>.html unless given, - is stdout')
    .addHelpText(
      'after',
      examples(
        ['shardlift report logs --out logs.html', 'to hand over'],
        ["shardlift report logs -o json | jq '.status.differences'", ''],
      ),
    )
    .action((run: string | undefined, options: { out?: string }, command: Command) =>
      carryOut(command, (session) => report(session, run, options.out)),
    );
}

async function report(session: Session, named: string | undefined, out: string | undefined): Promise<ExitCode> {
  const { gatherReport, renderReport } = lazy.report();
  const data = await withTemporal(session, async (temporal) =>
    gatherReport(temporal, await chooseRun(temporal, named), session.now),
  );
  const asData = session.format !== 'table';
  if (asData && out === undefined) {
    session.print(data, () => '');
    return exitCodes.done;
  }
  const page = renderReport(data);
  if (out === '-') {
    session.io.stdout.write(page);
    return exitCodes.done;
  }
  const file = path.resolve(out ?? `${data.run.replaceAll('/', '-')}.html`);
  try {
    writeFileSync(file, page);
  } catch (error) {
    throw new ClientError(
      exitCodes.failed,
      `${file} cannot be written: ${(error as Error).message}`,
      'name another place with --out',
    );
  }
  session.print(data, () => `Wrote ${file}`);
  return exitCodes.done;
}
