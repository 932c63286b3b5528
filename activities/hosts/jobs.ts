import { commandFailed } from './command-failures';
import type { Host } from './host';
import { execScript, runScript, sha256Of, stateDirectory } from './host-files';
import { lookScript, startScript, stopScript } from './job-scripts';

/** Detached jobs of a host: each has a directory that says what it is, how far it is, and how it ended. */
export const jobsDirectory = `${stateDirectory}/jobs`;

export interface JobLook {
  /** died: it was begun, and neither runs nor ended: the host lost its power, or somebody killed it. */
  state: 'absent' | 'running' | 'ended' | 'died';
  code: number;
  phase: string;
  total: number[];
  progress: string;
  result: number[];
  /** Bytes read and written by its processes: differs from look to look while it is at work. */
  moved: string;
  log: string;
}

/** The id is a file name and a unit's name: nothing that either could take for something else. */
export function jobDirectory(id: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9:._-]{0,200}$/.test(id)) throw new TypeError(`not the id of a job: ${id}`);
  return `${jobsDirectory}/${id}`;
}

export async function lookAtJob(host: Host, id: string): Promise<JobLook> {
  const result = await runScript(host, lookScript, [jobDirectory(id)], {
    message: 'the job cannot be looked at',
    remedy: `see ${jobDirectory(id)} on ${host.name}; the step tries again by itself`,
    at: id,
  });
  return parseLook(result.stdout);
}

export function parseLook(text: string): JobLook {
  const [head = '', log = ''] = text.split(/^log\n/m);
  const lines = head.split('\n');
  const value = (key: string) =>
    lines.find((line) => line === key || line.startsWith(`${key} `))?.slice(key.length + 1) ?? '';
  const numbers = (key: string) => value(key).split(' ').filter(Boolean).map(Number);
  const [first = ''] = lines;
  const [state, code] = first.split(' ');
  return {
    state: state === 'running' || state === 'ended' || state === 'died' ? state : 'absent',
    code: Number(code ?? 0),
    phase: value('phase'),
    total: numbers('total'),
    progress: value('progress'),
    result: numbers('result'),
    moved: value('moved'),
    log,
  };
}

const putScript = `
set -u
umask 077
mkdir -p -- "$1" "$4" || exit 1
cat > "$1/$2.new" || exit 1
[ "$(sha256sum < "$1/$2.new" | cut -d' ' -f1)" = "$3" ] || exit 1
sync "$1/$2.new" && mv -f -- "$1/$2.new" "$1/$2"
`;

export const locksDirectory = `${stateDirectory}/locks`;

/** Puts a file into the job's directory. Its name carries its checksum: a late attempt never changes what a running job reads. */
export async function putJobFile(host: Host, id: string, kind: string, content: Buffer): Promise<string> {
  const sha256 = sha256Of(content);
  const name = `${kind}-${sha256.slice(0, 16)}`;
  await runScript(
    host,
    putScript,
    [jobDirectory(id), name, sha256, locksDirectory],
    {
      message: "the job's files cannot be written",
      remedy: `see on ${host.name} whether /var is full ("df ${stateDirectory}"), then retry`,
      at: id,
    },
    // tens of megabytes at most, also over a slow line
    { stdin: content, timeoutMs: 300_000 },
  );
  return `${jobDirectory(id)}/${name}`;
}

/** Starts the job, if it does not run. Its lock makes it at most one at a time, whoever starts it how often. */
export async function startJob(host: Host, id: string, scriptPath: string): Promise<void> {
  const name = scriptPath.slice(scriptPath.lastIndexOf('/') + 1);
  const result = await execScript(host, startScript, [jobDirectory(id), id, name]);
  if (result.code === 0) return;
  throw commandFailed(
    host.name,
    result,
    'the job cannot be started',
    `see "systemctl status ${id}" and ${jobDirectory(id)}/log on ${host.name}; the step tries again by itself`,
    { at: id },
  );
}

/** Ends it, with everything it started; also when it is not there. */
export async function stopJob(host: Host, id: string): Promise<void> {
  const result = await execScript(host, stopScript, [jobDirectory(id), id], { evenIfCancelled: true });
  if (result.code === 0) return;
  throw commandFailed(
    host.name,
    result,
    'a running job cannot be stopped',
    `"systemctl kill -s KILL ${id}" on ${host.name}; if it stays, what it writes to hangs (NFS), then retry`,
    { at: id },
  );
}

export async function forgetJob(host: Host, id: string): Promise<void> {
  await execScript(host, 'rm -rf -- "$1"', [jobDirectory(id)]);
}
