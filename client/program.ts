import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command, Option } from 'commander';
import { addAbortVerb } from './commands/abort';
import { addApproveVerb } from './commands/approve';
import { addCompletionVerb } from './commands/completion';
import { addDoctorVerb } from './commands/doctor';
import { addDumpVerb } from './commands/dump';
import { addInitVerb } from './commands/init';
import { addListVerb } from './commands/list';
import { addLoadVerb } from './commands/load';
import { addPauseVerb } from './commands/pause';
import { addPlanVerb } from './commands/plan';
import { addRejectVerb } from './commands/reject';
import { addReportVerb } from './commands/report';
import { addResumeVerb } from './commands/resume';
import { addRetryVerb } from './commands/retry';
import { addSkipVerb } from './commands/skip';
import { addStartVerb } from './commands/start';
import { addStatusVerb } from './commands/status';
import { addTuneVerb } from './commands/tune';
import { addUpVerb } from './commands/up';
import { addValidateVerb } from './commands/validate';
import { addWatchVerb } from './commands/watch';
import { addWorkerVerb } from './commands/worker';
import { exitCodeWords, type ExitCode } from './exit-codes';
import type { Io } from './io';
import { outputFormats, Session, type GlobalOptions } from './session';

/** How a verb hands over its work: the session is made of the options that all verbs share. */
export type CarryOut = (command: Command, work: (session: Session) => Promise<ExitCode>) => Promise<void>;

type AddVerb = (program: Command, carryOut: CarryOut) => void;

/** In the order of a run's life: `--help` shows them so. */
const verbs: readonly AddVerb[] = [
  addInitVerb,
  addValidateVerb,
  addDoctorVerb,
  addPlanVerb,
  addStartVerb,
  addListVerb,
  addStatusVerb,
  addWatchVerb,
  addApproveVerb,
  addRejectVerb,
  addPauseVerb,
  addResumeVerb,
  addRetryVerb,
  addSkipVerb,
  addTuneVerb,
  addAbortVerb,
  addReportVerb,
  addDumpVerb,
  addLoadVerb,
  addUpVerb,
  addWorkerVerb,
  addCompletionVerb,
];

export function buildProgram(io: Io, ended: (code: ExitCode) => void): Command {
  const program = new Command('shardlift')
    .description('Durable runbooks for moving Elasticsearch clusters.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [verb]', 'show help of a verb')
    .usage('<verb> [run] [options]')
    .addOption(new Option('-o, --output <format>', 'how the result is printed').choices(outputFormats).default('table'))
    .option('--no-color', 'no colours (NO_COLOR does the same); there are none on anything but a terminal')
    .option('-v, --verbose', 'more in the log (stderr), and where an error came from')
    .option('--address <host:port>', 'Temporal server (TEMPORAL_ADDRESS)')
    .option('--namespace <name>', 'Temporal namespace (TEMPORAL_NAMESPACE)')
    .option('--profile <name>', 'profile of the Temporal configuration file (TEMPORAL_PROFILE)')
    .option('--task-queue <name>', 'task queue that the workers poll (SHARDLIFT_TASK_QUEUE)')
    .addHelpText('after', helpAtTheEnd())
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
      // Commander would look at the real process, also when a test hands in other streams.
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ showGlobalOptions: true });

  const carryOut: CarryOut = async (command, work) => {
    ended(await work(new Session(io, command.optsWithGlobals<GlobalOptions>())));
  };
  for (const add of verbs) add(program, carryOut);
  for (const verb of program.commands)
    verb.showHelpAfterError(`(\`shardlift ${verb.name()} --help\` shows what it takes)`);
  return program;
}

function helpAtTheEnd(): string {
  const codes = exitCodeWords.map(([code, words]) => `  ${code}  ${words}`).join('\n');
  return `
A migration from the first to the last word:
  shardlift up &                      a Temporal server and a worker on this machine
  shardlift init --help               write a runbook from two live clusters
  shardlift plan logs.yaml            what would be done; changes nothing
  shardlift start logs.yaml           start the run
  shardlift watch logs                look on; what waits, and the command that moves it on
  shardlift approve logs cutover      answer a gate
  shardlift report logs               one HTML file that proves what happened

Exit codes:
${codes}`;
}

/** From the sources and from the built files the way to package.json is not the same. */
function packageVersion(): string {
  for (const up of ['..', '../..']) {
    try {
      const found = JSON.parse(readFileSync(path.join(__dirname, up, 'package.json'), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (found.name === 'shardlift' && found.version !== undefined) return found.version;
    } catch {
      // one level further up, then
    }
  }
  return 'unknown';
}
