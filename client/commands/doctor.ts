import type { Command } from 'commander';
import { withTemporal } from '../connection';
import { exitCodes, type ExitCode } from '../exit-codes';
import { withoutControls } from '../format';
import { lazy } from '../lazy';
import { askForPlan, isRefused } from '../plan';
import type { CarryOut } from '../program';
import type { Session } from '../session';
import { examples } from './help';

export function addDoctorVerb(program: Command, carryOut: CarryOut): void {
  program
    .command('doctor')
    .summary('check clusters and hosts; changes nothing')
    .description(
      'Carries out the checks of the preflight, and nothing else. What failed comes first, with its remedy. Ends with 4\n' +
        'when a mandatory check failed; warnings do not change the exit code.',
    )
    .argument('<runbook.yaml>', 'runbook file; - reads standard input')
    .option('-a, --all', 'passed checks too')
    .addHelpText(
      'after',
      examples(['shardlift doctor logs.yaml', ''], ['shardlift doctor logs.yaml --all', 'with what was seen']),
    )
    .action((file: string, options: { all?: boolean }, command: Command) =>
      carryOut(command, (session) => doctor(session, file, options)),
    );
}

async function doctor(session: Session, file: string, options: { all?: boolean }): Promise<ExitCode> {
  const { runbook } = await lazy.runbookFile().readRunbook(file, session.io.stdin);
  const answer = await withTemporal(session, (temporal) => askForPlan(session, temporal, runbook));
  session.print(answer.checks, () =>
    lazy.planView().checksView(withoutControls(answer.checks), { paint: session.paint, all: options.all }),
  );
  return isRefused(answer) ? exitCodes.refused : exitCodes.done;
}
