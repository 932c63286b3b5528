import { parseArgs } from 'node:util';
import { byteSizePattern } from '../contracts/bytes';
import { benchCatchUp } from './catch-up';
import { benchCopy } from './copy';
import { corpora, sizes, type CopySize } from './copy-corpora';
import { benchCopySink } from './copy-sink';
import { benchDocuments } from './documents';
import { benchIdle } from './idle';
import { benchSmall } from './small';
import { benchSnapshot } from './snapshot';
import { benchStatus } from './status';

const help = `Usage: npm run bench -- <what> [options]

  snapshot   the procedure by hand, Shardlift and the bound side by side, on two real clusters
  copy       documents by search and bulk: Shardlift, its bound, elasticdump, elasticsearch-py and remote
             _reindex side by side, on two real clusters
  copy --sink   the same against a source and a target that cost nothing: the client alone
  catch-up   how far behind a live source the target is, and how long a cutover keeps writers out
  documents  copy --sink, copy in all three sizes, and catch-up, one after the other (about 20 minutes on two cores)
  small      one small index from \`start\` to the end, gates apart
  status     how long \`status\` answers while a run of many batches goes on
  idle       the worker's own CPU while a run waits at a gate

Options of snapshot:
  --size 2gb        bytes of documents, over all indices
  --indices 40      how many indices
  --rounds 3        how often everything is measured, interleaved; medians count
  --batch 128mb     most bytes of a batch (a twelfth of the whole, about, unless given)
  --limit 1gb       what the runbook raises the limits to
  --timeline        each step of each run, on stderr
Options of copy:
  --size kb         documents of 1.1 KB; mixed: 200 B to 100 KB; large: 1 to 5 MB, some of 20 MB
  --docs N          how many: 300000 of kb, 60000 of mixed, 150 of large unless given; 600000 with --sink
  --rounds 3        how often everything is measured, interleaved, each round from another one on; medians count
  --no-peers        only Shardlift and what bounds it: quicker, as for tuning
  --sink            documents of 1 KB against a bare source and sink in a second process
  --against dir     with --sink: another checkout of the project beside this one, in the same rounds
  --profile dir     a CPU profile of the worker (with --sink: of the client), for Chromium's developer tools
  --timeline        each step of each run, on stderr
Options of catch-up:
  --seconds 60      how long the lag is watched
  --ops 1000        adds, updates and deletes a second, a third each
Options of small:
  --rounds 3
Options of status:
  --batches 1000    batches of the run
  --asks 20         how often it is asked
Options of idle:
  --seconds 60      how long the worker is watched
For all:
  --json            one JSON document on stdout, the table on stderr
  --check           end with 1 when a figure is worse than wanted
  --help

elasticdump and elasticsearch-py are fetched into the cache at first use (npm; python3 with venv); where that cannot be
done their rows are left out, and it is said.
Needs what the pair lab needs (a JDK 17, Maven), Go for the Temporal server unless it is installed, and rsync.
`;

class WrongInput extends Error {}

const options = {
  size: { type: 'string' },
  indices: { type: 'string', default: '40' },
  rounds: { type: 'string', default: '3' },
  batch: { type: 'string' },
  limit: { type: 'string', default: '1gb' },
  docs: { type: 'string' },
  sink: { type: 'boolean', default: false },
  'no-peers': { type: 'boolean', default: false },
  against: { type: 'string' },
  profile: { type: 'string' },
  timeline: { type: 'boolean', default: false },
  batches: { type: 'string', default: '1000' },
  asks: { type: 'string', default: '20' },
  seconds: { type: 'string', default: '60' },
  ops: { type: 'string', default: '1000' },
  json: { type: 'boolean', default: false },
  check: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function parse(args: string[]) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new WrongInput(error instanceof Error ? error.message : String(error));
  }
}

function count(name: string, text: string): number {
  if (/^[1-9]\d{0,7}$/.test(text)) return Number(text);
  throw new WrongInput(`--${name} ${text}: a whole number from 1 on was expected`);
}

function byteSize(name: string, text: string): string {
  if (byteSizePattern.test(text)) return text.toLowerCase();
  throw new WrongInput(`--${name} ${text}: a byte size such as 512mb or 2gb was expected`);
}

function copySize(text: string): CopySize {
  const found = sizes.find((size) => size === text);
  if (found !== undefined) return found;
  throw new WrongInput(`--size ${text}: one of ${sizes.join(', ')} was expected`);
}

const sinkDocuments = 600_000;

/** Whether every figure is as good as wanted. */
async function measure(what: string | undefined, values: ReturnType<typeof parse>['values']): Promise<boolean> {
  const { json } = values;
  switch (what) {
    case 'snapshot':
      return benchSnapshot({
        size: byteSize('size', values.size ?? '2gb'),
        indices: count('indices', values.indices),
        rounds: count('rounds', values.rounds),
        limit: byteSize('limit', values.limit),
        ...(values.batch === undefined ? {} : { batch: byteSize('batch', values.batch) }),
        timeline: values.timeline,
        json,
      });
    case 'copy': {
      const size = copySize(values.size ?? 'kb');
      const copyOptions = {
        documents: count('docs', values.docs ?? String(values.sink ? sinkDocuments : corpora[size].documents)),
        rounds: count('rounds', values.rounds),
        ...(values.profile === undefined ? {} : { profile: values.profile }),
        json,
      };
      const against = values.against === undefined ? {} : { against: values.against };
      return values.sink
        ? benchCopySink({ ...copyOptions, ...against })
        : benchCopy({ ...copyOptions, size, peers: !values['no-peers'], timeline: values.timeline });
    }
    case 'catch-up':
      return benchCatchUp({
        seconds: count('seconds', values.seconds),
        perSecond: count('ops', values.ops),
        json,
      });
    case 'documents':
      return benchDocuments({ json });
    case 'small':
      return benchSmall({ rounds: count('rounds', values.rounds), timeline: values.timeline, json });
    case 'status':
      return benchStatus({ batches: count('batches', values.batches), asks: count('asks', values.asks), json });
    case 'idle':
      return benchIdle({ seconds: count('seconds', values.seconds), json });
    default:
      throw new WrongInput(what === undefined ? 'say what to measure' : `${what}: there is no such benchmark`);
  }
}

async function main(args: string[]): Promise<number> {
  try {
    const { values, positionals } = parse(args);
    if (values.help) {
      process.stdout.write(help);
      return 0;
    }
    if (positionals.length > 1) throw new WrongInput(`one benchmark at a time, not ${positionals.join(' ')}`);
    const isGood = await measure(positionals[0], values);
    return isGood || !values.check ? 0 : 1;
  } catch (error) {
    if (error instanceof WrongInput) {
      process.stderr.write(`bench: ${error.message}\n\n${help}`);
      return 2;
    }
    process.stderr.write(`bench: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return 1;
  }
}

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
  // the channel to the process that started us would keep this one alive; that we leave it does not mean that it has died
  process.removeAllListeners('disconnect');
  if (process.connected) process.disconnect();
});
