import type { Command } from 'commander';
import { ClientError } from '../client-error';
import { exitCodes, type ExitCode } from '../exit-codes';
import { lazy } from '../lazy';
import type { CarryOut } from '../program';
import type { Session } from '../session';
import { examples } from './help';

interface ValidateOptions {
  printSchema?: boolean;
  printRunbook?: boolean;
}

export function addValidateVerb(program: Command, carryOut: CarryOut): void {
  program
    .command('validate')
    .summary('check a runbook file')
    .description(
      'Checks a runbook file and tells everything that is wrong with it at once; asks no cluster and no server.',
    )
    .argument('[runbook.yaml]', 'runbook file; - reads standard input')
    .option('--print-runbook', 'print the runbook with all defaults filled in')
    .option('--print-schema', 'print the JSON Schema of runbooks, for editors')
    .addHelpText(
      'after',
      examples(
        ['shardlift validate logs.yaml', 'exit code 2 and file:line:column when something is wrong'],
        ['shardlift validate --print-schema > runbook.schema.json', 'completion and checking in an editor'],
      ),
    )
    .action((file: string | undefined, options: ValidateOptions, command: Command) =>
      carryOut(command, (session) => validate(session, file, options)),
    );
}

async function validate(session: Session, file: string | undefined, options: ValidateOptions): Promise<ExitCode> {
  if (options.printSchema === true) {
    session.io.stdout.write(lazy.jsonSchema().runbookJsonSchemaText());
    return exitCodes.done;
  }
  if (file === undefined)
    throw new ClientError(exitCodes.inputWrong, 'which file?', '`shardlift validate <runbook.yaml>`');
  const { readRunbook, RunbookFileError } = lazy.runbookFile();
  try {
    const { runbook, file: name } = await readRunbook(file, session.io.stdin);
    if (options.printRunbook === true) session.print(runbook, () => lazy.yaml().stringify(runbook, { lineWidth: 0 }));
    else
      session.print(
        { file: name, valid: true, run: runbook.name, problems: [] },
        () => `${name} is a valid runbook for the run ${runbook.name}.`,
      );
    return exitCodes.done;
  } catch (error) {
    if (!(error instanceof RunbookFileError) || session.format === 'table') throw error;
    session.print({ file: error.file, valid: false, problems: error.problems }, () => '');
    return error.code;
  }
}
