import type { CopyJobInput, CopyJobResult } from '../../contracts/host-activities';
import { heartbeat, pause } from '../context';
import { outcome } from './change';
import { prepareDestination, shareFull } from './copy-destination';
import { CopyFollower } from './copy-progress';
import { isCancelled, lastLines, passing, stuck } from './failures';
import type { Host, UserIds } from './host';
import { copyScript } from './job-scripts';
import { execScript } from './host-files';
import { jobDirectory, locksDirectory, lookAtJob, putJobFile, startJob, stopJob, type JobLook } from './jobs';
import { ownerOf, readRepository } from './read-repository';
import { snapshotFiles, type SnapshotFiles } from './repository-index';
import { shellQuote } from './shell-quote';

/** Power cuts and blobs that vanish are begun again at once this often; then Temporal's backoff takes over. */
const maxStarts = 3;

/** A short copy is seen to end at once; a long one is asked after every few seconds, well within a heartbeat timeout. */
const pollDelaysMs = [100, 200, 400, 800, 1500, 3000];

/**
 * Copies one snapshot's files with a detached rsync, data before index files, and follows it to its end.
 *
 * May run twice: the job's id names its directory and its unit, so a second attempt finds it running and follows on, or
 * finds how it ended. Killed before the start: nothing is there, the second run starts it. Killed while it runs: it runs
 * on without us. The host lost its power: it is found neither running nor ended, and is started again; rsync goes on
 * with what is missing, and compares by content what had been written. Killed after its end: the result is read again.
 */
export async function copySnapshotFiles(host: Host, input: CopyJobInput): Promise<CopyJobResult> {
  try {
    return await startAndFollow(host, input);
  } catch (error) {
    // a worker that shuts down leaves the job running for the next one; a cancelled step must not go on writing
    if (isCancelled(error) && error.message !== 'WORKER_SHUTDOWN')
      await stopJob(host, input.job).catch(() => undefined);
    throw error;
  }
}

async function startAndFollow(host: Host, input: CopyJobInput): Promise<CopyJobResult> {
  let job = await lookAtJob(host, input.job);
  if (job.state === 'ended' && job.code === 0 && (await isStillThere(host, input))) return resultOf(host, input, job);
  let starts = 0;
  for (;;) {
    if (job.state !== 'running') {
      await start(host, input);
      starts += 1;
    }
    job = await follow(host, input);
    if (job.state === 'ended' && job.code === 0) return resultOf(host, input, job);
    const mayBegin = starts < maxStarts && (job.state === 'died' || vanished(job));
    if (!mayBegin) throw copyFailure(host, input, job);
  }
}

/** A snapshot copied once may have been removed since, by removeCopiedSnapshot or by hand. */
async function isStillThere(host: Host, input: CopyJobInput): Promise<boolean> {
  const script = 'uuid=$(cat "$1/uuid" 2>/dev/null) && [ -n "$uuid" ] && [ -e "$2/snap-$uuid.dat" ]';
  return (await execScript(host, script, [jobDirectory(input.job), input.to])).code === 0;
}

async function start(host: Host, input: CopyJobInput): Promise<void> {
  const user = await ownerOf(host, input.from);
  if (!user) {
    throw stuck({
      type: 'SnapshotMissing',
      message: `the repository directory ${input.from} is not there`,
      host: host.name,
      at: input.from,
      remedy: `see with "findmnt" on ${host.name} whether the share is mounted, and that the repository's location is right, then retry`,
    });
  }
  const repository = await readRepository(host, input.from, user);
  const files = repository && snapshotFiles(repository.index, input.snapshot);
  if (!repository || !files) {
    throw stuck({
      type: 'SnapshotMissing',
      message: `the repository has no snapshot ${input.snapshot}`,
      host: host.name,
      at: input.from,
      why: repository
        ? `index-${repository.generation} lists ${repository.index.snapshots.length} others`
        : 'it has no index',
      remedy: 'was it deleted by hand? retry takes the snapshot anew and copies that',
    });
  }
  // a heartbeat for each part that went well: over a slow line the index of a large repository takes a while
  const alive = (detail: string) => heartbeat({ done: 0, total: 0, unit: 'bytes', detail });
  alive('preparing the destination');
  await prepareDestination(host, input.run, input.to, user);
  const index = await putJobFile(host, input.job, 'index', repository.bytes);
  alive('preparing the list of files');
  const latest = Buffer.alloc(8);
  latest.writeBigInt64BE(BigInt(repository.generation));
  const list = await putJobFile(host, input.job, 'list', Buffer.from(files.paths.map((path) => `${path}\0`).join('')));
  const latestPath = await putJobFile(host, input.job, 'latest', latest);
  const script = copyJobScript(input, user, files, repository.generation, { index, list, latest: latestPath });
  const scriptPath = await putJobFile(host, input.job, 'script', Buffer.from(script));
  await writeAbout(host, input, files.uuid);
  await startJob(host, input.job, scriptPath);
}

/** What removeCopiedSnapshot finds the job by. */
async function writeAbout(host: Host, input: CopyJobInput, uuid: string): Promise<void> {
  const script = 'printf %s "$2" > "$1/uuid"; printf %s "$3" > "$1/to"; printf %s "$4" > "$1/snapshot"';
  await execScript(host, script, [jobDirectory(input.job), uuid, input.to, input.snapshot]);
}

export function copyJobScript(
  input: CopyJobInput,
  user: UserIds,
  files: SnapshotFiles,
  generation: number,
  paths: { index: string; list: string; latest: string },
): string {
  // rsync counts in KiB; less than one of them would mean no limit
  const limit = input.maxBytesPerSec === undefined ? 0 : Math.max(1, Math.floor(input.maxBytesPerSec / 1024));
  const values: Record<string, string> = {
    job: jobDirectory(input.job),
    from: input.from,
    to: input.to,
    uid: String(user.uid),
    gid: String(user.gid),
    ...paths,
    generation: String(generation),
    uuid: files.uuid,
    limit: String(limit),
    verify: input.verify,
    locks: locksDirectory,
  };
  const assignments = Object.entries(values).map(([name, value]) => `${name}=${shellQuote(value)}`);
  return `${assignments.join('\n')}\n${copyScript}`;
}

/** Until it ends or dies. Each look that found it further on is a heartbeat; a look that fails ends the attempt. */
async function follow(host: Host, input: CopyJobInput): Promise<JobLook> {
  const follower = new CopyFollower(Date.now());
  for (let poll = 0; ; poll += 1) {
    const job = await lookAtJob(host, input.job);
    if (job.state !== 'running') {
      // begun, and gone before it wrote anything: as good as dead
      return job.state === 'absent' ? { ...job, state: 'died' } : job;
    }
    const seen = follower.seen(job, Date.now());
    if (seen.isStuck) throw copyIsStuck(host, input, job);
    heartbeat(seen.progress);
    await pause(pollDelaysMs[Math.min(poll, pollDelaysMs.length - 1)]!);
  }
}

function resultOf(host: Host, input: CopyJobInput, job: JobLook): CopyJobResult {
  const [files = 0, bytes = 0, seconds = 0, transferred = 0, published = 0, repaired = 0] = job.result;
  const changed = transferred > 0 || published > 0 || repaired > 0;
  const again = repaired > 0 ? `; ${repaired} of them differed at first and were copied again` : '';
  const summary = changed
    ? `${files} files of ${input.snapshot} copied to ${input.to} and compared by ${input.verify}${again}`
    : `${files} files of ${input.snapshot} were at ${input.to} already`;
  const change = {
    step: input.step,
    at: new Date().toISOString(),
    where: host.name,
    what: `${input.snapshot} at ${input.to}`,
    before: 'not copied',
    after: `${files} files, ${bytes} bytes`,
  };
  return { ...outcome(summary, changed ? change : undefined), files, bytes, seconds };
}

/** 24: rsync saw files vanish. 23 with this message: they had vanished before it came to them. */
function vanished(job: JobLook): boolean {
  return job.code === 24 || (job.code === 23 && /No such file or directory|vanished/.test(job.log));
}

function copyIsStuck(host: Host, input: CopyJobInput, job: JobLook): Error {
  return stuck({
    type: 'CopyFailed',
    message: `the copy has not moved for ten minutes (it is ${job.phase})`,
    host: host.name,
    at: input.to,
    why: lastLines(job.log) || undefined,
    remedy: `see on ${host.name} whether ${input.from} and ${input.to} answer ("stat -f"): a hung NFS server is the usual cause. The copy goes on by itself once it does; then retry, which finds it again`,
  });
}

function copyFailure(host: Host, input: CopyJobInput, job: JobLook): Error {
  const why = lastLines(job.log) || undefined;
  const problem = { type: 'CopyFailed', host: host.name, at: input.to, why } as const;
  if (job.state === 'died') {
    return passing({
      ...problem,
      message: `the copy was ended from outside ${maxStarts} times`,
      remedy: `see on ${host.name} what ended it ("journalctl -u ${input.job}", out of memory?); the step tries again by itself`,
    });
  }
  switch (job.code) {
    case 91:
      return stuck({
        ...problem,
        type: 'CopyDiffers',
        message: 'copied files differ from the original, also after they were copied again',
        remedy: `suspect the disk or memory of ${host.name} ("dmesg", smartctl); mend it, then retry: every file is compared again`,
      });
    case 92:
      return stuck({
        ...problem,
        type: 'PathOccupied',
        message: `${input.to} holds another repository`,
        remedy: 'choose another place for the copy, or empty that directory, then retry',
      });
    case 93:
      return shareFull(host, input.to, job.log);
    case 94:
      return stuck({
        ...problem,
        message: `rsync is not installed on ${host.name}`,
        remedy: `install rsync on ${host.name} (the prepare phase does it for the copying host), then retry`,
      });
  }
  if (vanished(job)) {
    return passing({
      ...problem,
      message: 'files of the snapshot vanished while they were copied',
      remedy: 'see whether something deletes snapshots of these indices on the source; the step tries again by itself',
    });
  }
  return passing({
    ...problem,
    message: `rsync ended with ${job.code}`,
    remedy: `see ${jobDirectory(input.job)}/log on ${host.name}; the step tries again by itself`,
  });
}
