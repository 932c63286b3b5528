import path from 'node:path';
import type { Command } from 'commander';
import type { Compression, DumpIndexResult, DumpProgress } from '../../contracts/dump';
import { ClientError } from '../client-error';
import { readConnection, type ConnectionOptions } from '../dump/connection';
import { eachOf, inForeground } from '../dump/foreground';
import { exitCodes, type ExitCode } from '../exit-codes';
import { formatCount, plural } from '../format';
import type { CarryOut } from '../program';
import type { Session } from '../session';
import { examples } from './help';

interface DumpOptions extends ConnectionOptions {
  source: string;
  index: string[];
  to: string;
  gzip?: boolean;
  zstd?: boolean;
  query?: string;
  parallel: string;
}

export function addDumpVerb(program: Command, carryOut: CarryOut): void {
  program
    .command('dump')
    .summary('write indices into files')
    .description(
      'Writes a file of lines for each index, a document a line, with settings, mapping and aliases in files beside it,\n' +
        'as elasticdump and multielasticdump write and read them. Needs no Temporal server. Killed or interrupted, the same\n' +
        'command goes on from its last checkpoint.',
    )
    .requiredOption(
      '--source <urls|runbook.yaml>',
      'addresses of the cluster, with commas between; or a runbook with it',
    )
    .requiredOption('--index <patterns...>', 'names or patterns with *')
    .requiredOption('--to <directory>', 'where the files go')
    .option('--gzip', 'compress')
    .option('--zstd', 'compress with zstd, which elasticdump does not read')
    .option('--query <json>', "only the documents that it finds, in Elasticsearch's own form")
    .option('--parallel <n>', 'indices at once', '2')
    .option('--user <name>', 'user name')
    .option('--password <reference>', 'reference to the password, such as ${env:NAME}')
    .option('--api-key <reference>', 'reference to an API key')
    .option('--ca <file>', 'PEM file of the certificate authority')
    .addHelpText(
      'after',
      examples(
        ["shardlift dump --source http://old:9200 --index 'logs-*' --to /backup --gzip", ''],
        ['shardlift load --target http://new:9200 --from /backup', 'and into another cluster'],
      ),
    )
    .action((options: DumpOptions, command: Command) => carryOut(command, (session) => dump(session, options)));
}

async function dump(session: Session, options: DumpOptions): Promise<ExitCode> {
  const source = await readConnection(session, 'source', options.source, options);
  const query = options.query === undefined ? undefined : parsedQuery(options.query);
  if (options.gzip === true && options.zstd === true)
    throw new ClientError(exitCodes.inputWrong, 'either --gzip or --zstd');
  const compression: Compression = options.gzip === true ? 'gzip' : options.zstd === true ? 'zstd' : 'none';
  const directory = path.resolve(options.to);
  const patterns = options.index.flatMap((each) => each.split(','));
  const results: DumpIndexResult[] = [];
  const isDone = await inForeground(session, told, async (activities, signal) => {
    const indices = await activities.listDumpIndices({ source, patterns });
    if (indices.length === 0)
      throw new ClientError(exitCodes.inputWrong, `no open index is called ${patterns.join(' or ')}`);
    await eachOf(indices, atOnce(options.parallel), async (index) => {
      if (signal.aborted) return;
      const input = { source, index, directory, compression, ...(query ? { query } : {}) };
      results.push(await activities.dumpIndex(input));
    });
    const isWhole = !signal.aborted && results.every((result) => result.isDone);
    if (isWhole) await activities.endDump({ directory });
    return isWhole;
  });
  session.print(results, () => {
    const lines = results.map(
      ({ file, documents, bytes }) => `${file}  ${formatCount(documents)} documents, ${formatCount(bytes)} bytes`,
    );
    return [...lines, isDone ? '' : 'Interrupted: the same command goes on from here.']
      .filter((line) => line !== '')
      .join('\n');
  });
  return isDone ? exitCodes.done : exitCodes.interrupted;
}

function told(progress: unknown): string {
  const { documents, total } = progress as DumpProgress;
  return `${formatCount(documents)} of about ${plural(total, 'document')}`;
}

export function atOnce(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 64) return count;
  throw new ClientError(exitCodes.inputWrong, `--parallel: a number from 1 to 64, not ${text}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsedQuery(text: string): Record<string, unknown> {
  try {
    const query = JSON.parse(text) as unknown;
    if (isObject(query)) {
      const [name, ...more] = Object.keys(query);
      // the body of a search, as elasticdump takes it: no query of Elasticsearch's has that name
      return name === 'query' && more.length === 0 && isObject(query['query']) ? query['query'] : query;
    }
  } catch {
    // said below
  }
  throw new ClientError(exitCodes.inputWrong, '--query: a query as JSON, such as {"term":{"user":"anna"}}');
}
