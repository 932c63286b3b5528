import { parseArgs } from 'node:util';
import { byteSizePattern } from '../contracts/bytes';
import { benchCopy } from './copy';
import { benchCopySink } from './copy-sink';
import { benchIdle } from './idle';
import { benchSmall } from './small';
import { benchSnapshot } from './snapshot';
import { benchStatus } from './status';

const help = `Usage: npm run bench -- <what> [options]

  snapshot   the procedure by hand, Shardlift and the bound side by side, on two real clusters
  copy       documents by search and bulk: Shardlift, the bound, remote _reindex, on two real clusters
  copy --sink   the same against a source and a target that cost nothing: the client alone
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
  --docs 100000     how many documents of 1 KB
  --rounds 3        how often everything is measured, interleaved; medians count
  --sink            against a bare source and sink in a second process
  --profile dir     a CPU profile of each client process, for Chromium's developer tools
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

Needs what the pair lab needs (a JDK 17, Maven), Go for the Temporal server unless it is installed, and rsync.
`;

class WrongInput extends Error {}

const options = {
  size: { type: 'string', default: '2gb' },
  indices: { type: 'string', default: '40' },
  rounds: { type: 'string', default: '3' },
  batch: { type: 'string' },
  limit: { type: 'string', default: '1gb' },
  docs: { type: 'string' },
  sink: { type: 'boolean', default: false },
  profile: { type: 'string' },
  timeline: { type: 'boolean', default: false },
  batches: { type: 'string', default: '1000' },
  asks: { type: 'string', default: '20' },
  seconds: { type: 'string', default: '60' },
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

/** Whether every figure is as good as wanted. */
async function measure(what: string | undefined, values: ReturnType<typeof parse>['values']): Promise<boolean> {
  const { json } = values;
  switch (what) {
    case 'snapshot':
      return benchSnapshot({
        size: byteSize('size', values.size),
        indices: count('indices', values.indices),
        rounds: count('rounds', values.rounds),
        limit: byteSize('limit', values.limit),
        ...(values.batch === undefined ? {} : { batch: byteSize('batch', values.batch) }),
        timeline: values.timeline,
        json,
      });
    case 'copy': {
      const copyOptions = {
        documents: count('docs', values.docs ?? (values.sink ? '600000' : '100000')),
        rounds: count('rounds', values.rounds),
        ...(values.profile === undefined ? {} : { profile: values.profile }),
        json,
      };
      return values.sink ? benchCopySink(copyOptions) : benchCopy(copyOptions);
    }
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
  // the channel to the process that started us would keep this one alive
  if (process.connected) process.disconnect();
});
