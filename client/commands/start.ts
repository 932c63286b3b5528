import type { Command } from 'commander';
import { workflowTypes } from '../../contracts/messages';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { MigrationInput } from '../../contracts/workflow-inputs';
import { ClientError } from '../client-error';
import { hasWorker, withTemporal, type Temporal } from '../connection';
import { exitCodes, type ExitCode } from '../exit-codes';
import { noWorker } from '../explain-error';
import { follow } from '../follow';
import { parseDuration, shellWord } from '../format';
import { lazy } from '../lazy';
import type { CarryOut } from '../program';
import type { Session } from '../session';
import { memo } from '../status';
import { examples } from './help';

interface StartOptions {
  wait?: boolean;
  timeout?: string;
  untilGate?: boolean;
  again?: boolean;
}

export function addStartVerb(program: Command, carryOut: CarryOut): void {
  program
    .command('start')
    .summary('start a run')
    .description(
      'Validates a runbook and starts a run named like it. The run goes on by itself, also when this computer is switched\n' +
        'off. A run of that name that is under way, or was completed, refuses a second one.',
    )
    .argument('<runbook.yaml>', 'runbook file; - reads standard input')
    .option('-w, --wait', 'look on until the run ends, and end with its exit code')
    .option('--timeout <time>', 'with --wait: end with 6 after that time, such as 90s, 30m or 2h')
    .option('--until-gate', 'with --wait: end with 5 as soon as the run needs a person')
    .option('--again', 'start it although a run of that name was completed')
    .addHelpText(
      'after',
      examples(
        ['shardlift start logs.yaml', 'start, then: shardlift watch logs'],
        ['shardlift start logs.yaml --wait --timeout 12h', 'in a script'],
      ),
    )
    .action((file: string, options: StartOptions, command: Command) =>
      carryOut(command, (session) => start(session, file, options)),
    );
}

async function start(session: Session, file: string, options: StartOptions): Promise<ExitCode> {
  if (options.wait !== true && (options.timeout !== undefined || options.untilGate === true)) {
    throw new ClientError(exitCodes.inputWrong, '--timeout and --until-gate mean something only with --wait');
  }
  const timeoutMs = options.timeout === undefined ? undefined : parseDuration(options.timeout, '--timeout');
  const { runbook } = await lazy.runbookFile().readRunbook(file, session.io.stdin);
  return withTemporal(session, async (temporal) => {
    const name = runbook.name;
    const handle = await startOrRefuse(temporal, name, runbook, options.again === true);
    const result = { run: name, workflowId: name, runId: handle.firstExecutionRunId, taskQueue: temporal.taskQueue };
    if (options.wait === true) {
      session.note(`started ${name}`);
    } else {
      session.print(result, () => `Started ${name}. Look on with: shardlift watch ${shellWord(name)}`);
    }
    // The worker of `up` may be just starting: then it needs no word.
    if (temporal.origin !== 'embedded' && (await hasWorker(temporal, session.io.now())) === false) {
      session.warn(`no worker polls the task queue "${temporal.taskQueue}": the run begins when one does; ${noWorker}`);
    }
    return options.wait === true
      ? follow(session, temporal, name, { untilGate: options.untilGate, timeoutMs })
      : exitCodes.done;
  });
}

async function startOrRefuse(temporal: Temporal, name: string, runbook: MigrationRunbook, again: boolean) {
  const begin = (workflowIdReusePolicy: 'ALLOW_DUPLICATE' | 'ALLOW_DUPLICATE_FAILED_ONLY') =>
    temporal.client.workflow.start(workflowTypes.migration, {
      workflowId: name,
      taskQueue: temporal.taskQueue,
      args: [{ runbook } satisfies MigrationInput],
      memo: { kind: 'Migration' },
      workflowIdReusePolicy,
      workflowIdConflictPolicy: 'FAIL',
    });
  try {
    return await begin(again ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY');
  } catch (error) {
    if ((error as Error).name !== 'WorkflowExecutionAlreadyStartedError') throw error;
  }
  const description = await temporal.client.workflow.getHandle(name).describe();
  const isRunning = description.status.name === 'RUNNING' || description.status.name === 'PAUSED';
  if (isRunning) {
    throw new ClientError(
      exitCodes.refused,
      `a run named ${name} is under way: nothing was started`,
      `look at it with \`shardlift status ${name}\``,
    );
  }
  // An aborted run has taken back what it did. A completed one may have moved everything: that wants a word.
  if (memo(description, 'state') === 'aborted') return begin('ALLOW_DUPLICATE');
  throw new ClientError(
    exitCodes.refused,
    `a run named ${name} was completed: nothing was started`,
    `\`shardlift report ${name}\` shows it; give the runbook another name, or say --again`,
  );
}
