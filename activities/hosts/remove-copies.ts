import type { HostInput, StepOutcome } from '../../contracts/host-activities';
import { outcome } from './change';
import { markerName } from './copy-destination';
import { commandFailed } from './command-failures';
import { stuck } from './failures';
import type { Host, UserIds } from './host';
import { execScript, runScript } from './host-files';
import { forgetJob, jobsDirectory, stopJob } from './jobs';
import { ownerOf, readRepository } from './read-repository';
import { directoriesOf, listedFiles, snapshotFiles } from './repository-index';

/** Each job that copies to this place: its id, its snapshot, and its list of files, which has zeros for line ends. */
const jobsScript = `
cd -- "$1" 2>/dev/null || exit 0
for d in *; do
  [ "$(cat "$d/to" 2>/dev/null)" = "$2" ] || continue
  echo "job $d $(cat "$d/snapshot" 2>/dev/null)"
  cat "$d"/list-???????????????? 2>/dev/null | tr '\\0' '\\n'
done
true
`;

interface CopyJob {
  id: string;
  snapshot: string;
  /** What it was to copy, relative to the repository. */
  paths: string[];
}

async function findJobs(host: Host, location: string): Promise<CopyJob[]> {
  const found = await execScript(host, jobsScript, [jobsDirectory, location], { maxStdoutBytes: maxListsBytes });
  const jobs: CopyJob[] = [];
  for (const line of found.stdout.split('\n').filter(Boolean)) {
    const job = /^job (\S+) (.*)$/.exec(line);
    if (job) jobs.push({ id: job[1]!, snapshot: job[2]!, paths: [] });
    else jobs.at(-1)?.paths.push(line);
  }
  return jobs;
}

/** A list has a line for each index of a batch; a large run has hundreds of batches. */
const maxListsBytes = 64 * 1024 * 1024;

async function markerOf(host: Host, location: string, user: UserIds): Promise<Map<string, string> | undefined> {
  const result = await host.exec(['cat', '--', `${location}/${markerName}`], { asUser: user });
  if (result.code !== 0) return undefined;
  return new Map(result.stdout.split('\n').map((line) => [line.split(' ')[0]!, line.slice(line.indexOf(' ') + 1)]));
}

/**
 * Removes the copied files of one snapshot, as far as no other copied snapshot needs them, also those of a copy that did
 * not come to its end: then the list of its job says what it wrote. The index at the destination stays: it is the source's,
 * and the next copy replaces it.
 * May run twice: the snapshot's own file goes late and its jobs last, so a killed attempt is found unfinished and ends the
 * work.
 */
export async function removeCopiedSnapshot(
  host: Host,
  input: HostInput & { location: string; snapshot: string },
): Promise<StepOutcome> {
  const { location, snapshot } = input;
  const user = await ownerOf(host, location);
  const marker = user && (await markerOf(host, location, user));
  if (!user || marker?.get('run') !== input.run) return outcome(`${location} holds no copies of this run`);
  const jobs = await findJobs(host, location);
  const own = jobs.filter((job) => job.snapshot === snapshot);
  // one that still writes must end first
  for (const { id } of own) await stopJob(host, id);
  const others = jobs.filter((job) => job.snapshot !== snapshot);
  const paths = await findCopies(host, { location, user, snapshot, own, others });
  // ids only, checked: safe as lines. One rm at a time, in this order
  const script = 'cd -- "$1" && while IFS= read -r path; do rm -rf -- "./$path" || exit 1; done';
  if (paths.length > 0) {
    await runScript(
      host,
      script,
      [location],
      {
        message: `the copied files of ${snapshot} cannot be removed`,
        remedy: `see "ls -la ${location}" on ${host.name}: the user ${user.uid} must own the files, then retry`,
        at: location,
      },
      // hundreds of thousands of files on a slow disk
      { asUser: user, stdin: paths.map((path) => `${path}\n`).join(''), timeoutMs: 600_000 },
    );
  }
  // one that ended must not be taken for a copy that is there
  for (const { id } of own) await forgetJob(host, id);
  if (paths.length === 0) return outcome(`${snapshot} is not at ${location}`);
  return outcome(`the copied files of ${snapshot} are removed from ${location}`, {
    step: input.step,
    at: new Date().toISOString(),
    where: host.name,
    what: `${snapshot} at ${location}`,
    before: 'copied',
    after: 'removed',
  });
}

/**
 * The files of one snapshot at the destination, its own two last. By the index there, or, where no copy of it has come as
 * far as to bring an index that names it, by the lists of its jobs. What another snapshot uses that is there, or that is
 * on its way there, is not among them.
 */
async function findCopies(host: Host, { location, user, snapshot, own, others }: RemoveInput): Promise<string[]> {
  const repository = await readRepository(host, location, user);
  const listing = await execScript(host, 'cd -- "$1" && ls', [location], { asUser: user });
  const names = new Set(listing.stdout.split('\n'));
  const published = repository && snapshotFiles(repository.index, snapshot);
  const files = listedFiles(published?.paths ?? own.flatMap(({ paths }) => paths));
  if (!files || (own.length === 0 && !names.has(`snap-${files.uuid}.dat`))) return [];
  const present = new Set(
    (repository?.index.snapshots ?? [])
      .map((each) => each.uuid)
      .filter((uuid) => uuid !== files.uuid && names.has(`snap-${uuid}.dat`)),
  );
  const needed = repository ? directoriesOf(repository.index, present) : new Set<string>();
  for (const { paths } of others) for (const directory of listedFiles(paths)?.directories ?? []) needed.add(directory);
  return [
    ...own.map(({ id }) => `.shardlift-new-${id}`),
    ...files.directories.filter((directory) => !needed.has(directory)),
    `meta-${files.uuid}.dat`,
    `snap-${files.uuid}.dat`,
  ];
}

interface RemoveInput {
  location: string;
  user: UserIds;
  snapshot: string;
  own: CopyJob[];
  others: CopyJob[];
}

/**
 * Removes what this run copied to a directory, and the directory itself if the run made it. Only where our marker stands.
 * May run twice: the marker goes last, so a killed attempt is found unfinished; gone already is fine.
 */
export async function removeCopyDirectory(host: Host, input: HostInput & { location: string }): Promise<StepOutcome> {
  const { location } = input;
  // one that still writes must end first; one that ended must not be taken for a copy that is there
  for (const { id } of await findJobs(host, location)) {
    await stopJob(host, id);
    await forgetJob(host, id);
  }
  const user = await ownerOf(host, location);
  if (!user) return outcome(`${location} is gone already`);
  const marker = await markerOf(host, location, user);
  if (!marker) {
    const left = await execScript(host, 'ls -A -- "$1" | grep -vxe lost+found | head -n 1', [location], {
      asUser: user,
    });
    if (left.stdout.trim() === '') return outcome(`${location} holds no copies`);
    throw notOurs(host, location);
  }
  if (marker.get('run') !== input.run) throw notOurs(host, location);
  // names of a repository and our own; whatever else was put there by others stays
  const script = `
cd -- "$1" || exit 1
rm -rf -- ./indices ./index-[0-9]* ./index.latest ./snap-*.dat ./meta-*.dat ./.shardlift-new-* ./.shardlift-index* || exit 1
rm -f -- ./${markerName} ./${markerName}.new
`;
  const result = await execScript(host, script, [location], { asUser: user, timeoutMs: 1_800_000 });
  if (result.code !== 0) {
    throw commandFailed(
      host.name,
      result,
      `${location} cannot be emptied`,
      `see "ls -la ${location}" on ${host.name}, then retry`,
      {
        at: location,
      },
    );
  }
  // by root, as the directory above may be root's; fails where others' files are left, or on a mount point
  if (marker.get('made') === 'yes') await execScript(host, 'rmdir -- "$1" 2>/dev/null; true', [location]);
  return outcome(`the copies at ${location} are removed`, {
    step: input.step,
    at: new Date().toISOString(),
    where: host.name,
    what: location,
    before: 'copies of this run',
    after: 'removed',
  });
}

function notOurs(host: Host, location: string): Error {
  return stuck({
    type: 'PathOccupied',
    message: `${location} was not made for copies by this run, so nothing in it is removed`,
    host: host.name,
    at: location,
    remedy: `look at it on ${host.name}, and remove by hand what is not needed, then skip this step`,
  });
}
