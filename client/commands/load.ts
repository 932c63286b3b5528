import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import type { LoadFileResult, LoadProgress } from '../../contracts/dump';
import { ClientError } from '../client-error';
import { readConnection, type ConnectionOptions } from '../dump/connection';
import { eachOf, inForeground } from '../dump/foreground';
import { exitCodes, type ExitCode } from '../exit-codes';
import { formatCount, withoutControls } from '../format';
import type { CarryOut } from '../program';
import type { Session } from '../session';
import { atOnce } from './dump';
import { examples } from './help';

interface LoadOptions extends ConnectionOptions {
  target: string;
  from: string;
  index?: string;
  parallel: string;
}

export function addLoadVerb(program: Command, carryOut: CarryOut): void {
  program
    .command('load')
    .summary('write documents from files into a cluster')
    .description(
      'Loads files that shardlift dump or elasticdump --type=data has written, plain, gzip or zstd. An index that is not\n' +
        'there is made from the files of settings, mapping and aliases beside the data; one that is there is left as it is.\n' +
        'A document of the target that is newer stays. Documents that the target refuses are kept below refused/ beside the\n' +
        'data, and stop nothing; the command then ends with 7. Killed or interrupted, the same command goes on.',
    )
    .requiredOption(
      '--target <urls|runbook.yaml>',
      'addresses of the cluster, with commas between; or a runbook with it',
    )
    .requiredOption('--from <file|directory>', 'a file of documents, or a directory of them')
    .option('--index <name>', 'the index that all documents go to, in place of the one that they name')
    .option('--parallel <n>', 'files at once', '2')
    .option('--user <name>', 'user name')
    .option('--password <reference>', 'reference to the password, such as ${env:NAME}')
    .option('--api-key <reference>', 'reference to an API key')
    .option('--ca <file>', 'PEM file of the certificate authority')
    .addHelpText('after', examples(['shardlift load --target http://new:9200 --from /backup', '']))
    .action((options: LoadOptions, command: Command) => carryOut(command, (session) => load(session, options)));
}

async function load(session: Session, options: LoadOptions): Promise<ExitCode> {
  const target = await readConnection(session, 'target', options.target, options);
  const { directory, files } = dataFiles(path.resolve(options.from));
  const results: (LoadFileResult & { file: string })[] = [];
  const isDone = await inForeground(session, told, async (activities, signal) => {
    await eachOf(files, atOnce(options.parallel), async (file) => {
      if (signal.aborted) return;
      const index = options.index === undefined ? {} : { index: options.index };
      results.push({ file, ...(await activities.loadFile({ target, file, ...index })) });
    });
    const isWhole = !signal.aborted && results.every((result) => result.isDone);
    if (isWhole) await activities.endDump({ directory });
    return isWhole;
  });
  session.print(results, () => withoutControls(results).map(lineOf).join('\n'));
  if (!isDone) return exitCodes.interrupted;
  return results.some(({ refused }) => refused > 0) ? exitCodes.completedWithDifferences : exitCodes.done;
}

function lineOf({
  file,
  written,
  superseded,
  refused,
  refusedFile,
  causes,
}: LoadFileResult & { file: string }): string {
  const also = superseded > 0 ? `, ${formatCount(superseded)} newer on the target` : '';
  const head = `${file}  ${formatCount(written)} documents written${also}`;
  if (refused === 0) return head;
  const reasons = causes.map(
    ({ count, type, reason, remedy }) => `  ${formatCount(count)} times ${type}: ${reason}\n    ${remedy}`,
  );
  return [`${head}, ${formatCount(refused)} refused, kept in ${refusedFile ?? ''}`, ...reasons].join('\n');
}

function told(progress: unknown): string {
  const { written, textBytes } = progress as LoadProgress;
  return `${formatCount(written)} documents written, ${formatCount(textBytes)} bytes of text`;
}

/** Of a directory those that have documents: not what elasticdump keeps besides, not what is unfinished. */
function dataFiles(from: string): { directory: string; files: string[] } {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(from).isDirectory();
  } catch (error) {
    const { code = 'cannot be read' } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file or directory' : code;
    throw new ClientError(exitCodes.inputWrong, `--from ${from}: ${why}`);
  }
  if (!isDirectory) return { directory: path.dirname(from), files: [from] };
  const names = readdirSync(from).filter(
    (name) =>
      /\.json(\.gz|\.zst)?$/.test(name) &&
      !/\.(settings|mapping|analyzer|alias|template|policy|index)\.json(\.\w+)?$/.test(name),
  );
  if (names.length === 0)
    throw new ClientError(exitCodes.inputWrong, `${from}: no file of documents (.json, .json.gz, .json.zst)`);
  return { directory: from, files: names.sort().map((name) => path.join(from, name)) };
}
