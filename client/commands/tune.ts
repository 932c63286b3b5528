import type { Command } from 'commander';
import { byteSizePattern } from '../../contracts/bytes';
import { diskWatermarks, type TunedLimits } from '../../contracts/decisions';
import { ClientError } from '../client-error';
import { decide, decisionOptions, type DecisionOptions } from '../decide';
import { exitCodes } from '../exit-codes';
import type { CarryOut } from '../program';
import { examples } from './help';

interface TuneOptions extends DecisionOptions {
  docsPerSec?: string;
  bytesPerSec?: string;
  bulkBytes?: string;
  bulks?: string;
  parts?: string;
  pauseAboveHeap?: string;
  pauseAboveDisk?: string;
  failedDocuments?: string;
  requestsPerSecond?: string;
}

export function addTuneVerb(program: Command, carryOut: CarryOut): void {
  const verb = program
    .command('tune')
    .summary('change limits while a run goes on')
    .description(
      'Sets new limits for a run that moves documents by copy or remote-reindex. What is under way goes on from where it is\n' +
        'under the new limits; nothing is read again. "none" takes a limit off.',
    )
    .argument('<run>', 'name of the run')
    .option('--docs-per-sec <number>', 'most documents a second, for the whole run; or none')
    .option('--bytes-per-sec <size>', 'most bytes a second, for the whole run, such as 20mb; or none')
    .option('--bulk-bytes <size>', 'size of a bulk request, about')
    .option('--bulks <number>', 'most bulk requests of a part under way at once')
    .option('--parts <number>', 'most parts of a batch under way at once')
    .option('--pause-above-heap <percent>', 'share of a heap at which the copy pauses by itself')
    .option('--pause-above-disk <watermark>', `watermark of the target at which it does: ${diskWatermarks.join(', ')}`)
    .option('--failed-documents <number>', 'most documents of a batch that the target may refuse; or none')
    .option('--requests-per-second <number>', 'with remote-reindex: most documents a second of each task; or none');
  decisionOptions(verb, false)
    .addHelpText(
      'after',
      examples(
        ["shardlift tune logs --bytes-per-sec 20mb --reason 'office hours'", ''],
        ['shardlift tune logs --bytes-per-sec none --parts 8', 'at night'],
      ),
    )
    .action((run: string, options: TuneOptions, command: Command) =>
      carryOut(command, async (session) => {
        const limits = limitsOf(options);
        const words = Object.entries(limits).map(([name, value]) => `${name} ${value ?? 'none'}`);
        if (words.length === 0)
          throw new ClientError(exitCodes.inputWrong, 'no limit is named', 'say one of the options; --help lists them');
        return decide(session, { verb: 'tune', run, args: { limits }, done: `${run}: ${words.join(', ')}`, options });
      }),
    );
}

function limitsOf(options: TuneOptions): TunedLimits {
  return {
    ...(options.docsPerSec === undefined ? {} : { docsPerSec: orNone(options.docsPerSec, number('--docs-per-sec')) }),
    ...(options.bytesPerSec === undefined ? {} : { bytesPerSec: orNone(options.bytesPerSec, size('--bytes-per-sec')) }),
    ...(options.bulkBytes === undefined ? {} : { bulkBytes: size('--bulk-bytes')(options.bulkBytes) }),
    ...(options.bulks === undefined ? {} : { bulksInFlight: whole('--bulks')(options.bulks) }),
    ...(options.parts === undefined ? {} : { partsInFlight: whole('--parts')(options.parts) }),
    ...(options.pauseAboveHeap === undefined
      ? {}
      : { pauseAboveHeapPercent: whole('--pause-above-heap', 100)(options.pauseAboveHeap) }),
    ...(options.pauseAboveDisk === undefined ? {} : { pauseAboveDisk: watermark(options.pauseAboveDisk) }),
    ...(options.failedDocuments === undefined
      ? {}
      : { failedDocuments: orNone(options.failedDocuments, whole('--failed-documents', 1e9)) }),
    ...(options.requestsPerSecond === undefined
      ? {}
      : { requestsPerSecond: orNone(options.requestsPerSecond, number('--requests-per-second')) }),
  };
}

function orNone<T>(text: string, read: (text: string) => T): T | null {
  return text === 'none' ? null : read(text);
}

function number(option: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value;
    throw new ClientError(exitCodes.inputWrong, `${option}: ${text} is no number above 0`, 'say a number, or none');
  };
}

function whole(option: string, most = 64): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= most) return value;
    throw new ClientError(exitCodes.inputWrong, `${option}: ${text} is no number from 1 to ${most}`);
  };
}

function watermark(text: string): (typeof diskWatermarks)[number] {
  const found = diskWatermarks.find((each) => each === text);
  if (found) return found;
  throw new ClientError(
    exitCodes.inputWrong,
    `--pause-above-disk: ${text} is no watermark`,
    `say one of ${diskWatermarks.join(', ')}`,
  );
}

function size(option: string): (text: string) => string {
  return (text) => {
    if (byteSizePattern.test(text)) return text;
    throw new ClientError(exitCodes.inputWrong, `${option}: ${text} is no byte size`, 'say one such as 20mb');
  };
}
