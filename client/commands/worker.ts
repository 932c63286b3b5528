import type { Command } from 'commander';
import { failFastOnLoopback, temporalSettings } from '../connection';
import { exitCodes, type ExitCode } from '../exit-codes';
import type { CarryOut } from '../program';
import { runWorkerWith } from '../run-worker';
import type { Session } from '../session';
import { examples } from './help';

export function addWorkerVerb(program: Command, carryOut: CarryOut): void {
  program
    .command('worker')
    .summary('carry out runs, until Ctrl-C')
    .description(
      'Runs a worker in the foreground: it carries out the steps of runs. Several may run at once, on several machines;\n' +
        'each needs the secrets that runbooks refer to. Documents that a target refuses are kept in files below\n' +
        'SHARDLIFT_FAILED_DOCUMENTS (by default shardlift/failed-documents in the state directory). Ctrl-C or SIGTERM lets it hand over what it does; a second one kills it.',
    )
    .addHelpText(
      'after',
      examples(
        ['shardlift worker', 'against the configured Temporal server'],
        ['shardlift worker --address temporal.example:7233 --namespace shardlift', ''],
      ),
    )
    .action((_options: unknown, command: Command) => carryOut(command, work));
}

async function work(session: Session): Promise<ExitCode> {
  const settings = temporalSettings(session);
  await failFastOnLoopback(settings.address);
  const stop = new AbortController();
  const unlisten = session.io.onSignal((signal) => {
    session.log.info({ signal }, 'shutting down; once more kills');
    stop.abort();
    unlisten();
  });
  try {
    await runWorkerWith(settings, stop.signal, session);
  } finally {
    unlisten();
  }
  return exitCodes.done;
}
