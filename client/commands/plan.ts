import type { Command } from 'commander';
import { withTemporal } from '../connection';
import { exitCodes, type ExitCode } from '../exit-codes';
import { shellWord } from '../format';
import { lazy } from '../lazy';
import { askForPlan, isRefused } from '../plan';
import type { CarryOut } from '../program';
import type { Session } from '../session';
import { examples } from './help';

export function addPlanVerb(program: Command, carryOut: CarryOut): void {
  program
    .command('plan')
    .summary('what a run would do; changes nothing')
    .description(
      'Looks at both clusters and every host, changes nothing, and shows what a run of this runbook would do: checks,\n' +
        'changes on hosts as a diff, batches with sizes, predicted time and disk. Ends with 4 when the run would refuse.',
    )
    .argument('<runbook.yaml>', 'runbook file; - reads standard input')
    .option('-a, --all', 'passed checks too, and every batch')
    .addHelpText(
      'after',
      examples(['shardlift plan logs.yaml', ''], ['shardlift plan logs.yaml -o json > plan.json', 'for a review']),
    )
    .action((file: string, options: { all?: boolean }, command: Command) =>
      carryOut(command, (session) => plan(session, file, options)),
    );
}

async function plan(session: Session, file: string, options: { all?: boolean }): Promise<ExitCode> {
  const { runbook } = await lazy.runbookFile().readRunbook(file, session.io.stdin);
  const answer = await withTemporal(session, (temporal) => askForPlan(session, temporal, runbook));
  const refused = isRefused(answer);
  session.print(answer, () => {
    const next = refused
      ? 'A run would refuse to start: see the checks that failed.'
      : `Start it with: shardlift start ${shellWord(file)}`;
    return `${lazy.planView().planView(answer, runbook, { paint: session.paint, all: options.all })}\n${next}`;
  });
  return refused ? exitCodes.refused : exitCodes.done;
}
