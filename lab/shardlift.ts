import { spawn } from 'node:child_process';
import path from 'node:path';
import { inNamespace } from './hosts/network';
import { startSession, type ProcessIdentity } from './process';
import { record } from './cleanup';

const main = path.join(__dirname, '..', 'dist', 'client', 'main.js');

/** The built command line, as an operator would run it: in the lab's namespace, with state and configuration of the lab's own. */
export interface Shardlift {
  /** Runs a verb to its end; output goes to our own, unless it is captured. */
  run(
    args: string[],
    options?: { capture?: boolean; echo?: boolean; signal?: AbortSignal },
  ): Promise<{ code: number; stdout: string; stderr: string }>;
  /** Starts a verb that stays, such as `up` or `worker`, its output in a file of the lab's directory. */
  start(args: string[], name: string): Promise<ProcessIdentity>;
}

export function shardlift(options: { directory: string; namespace?: string; env?: NodeJS.ProcessEnv }): Shardlift {
  const { directory, namespace } = options;
  const env = {
    ...process.env,
    XDG_STATE_HOME: path.join(directory, 'state'),
    XDG_CONFIG_HOME: path.join(directory, 'config'),
    SHARDLIFT_USER: 'demo',
    ...options.env,
  };
  const command = (args: string[]): [string, ...string[]] => {
    const whole: [string, ...string[]] = [process.execPath, main, ...args];
    return namespace === undefined ? whole : inNamespace(namespace, whole);
  };
  return {
    run(args, { capture = false, echo = false, signal } = {}) {
      if (echo) process.stdout.write(`\n$ shardlift ${args.join(' ')}\n`);
      const [program, ...rest] = command(args);
      return new Promise((resolve, reject) => {
        const child = spawn(program, rest, {
          env,
          stdio: ['ignore', capture ? 'pipe' : 'inherit', capture ? 'pipe' : 'inherit'],
          signal,
        });
        let stdout = '';
        let stderr = '';
        child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
        child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
        child.once('error', reject);
        child.once('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
      });
    },
    async start(args, name) {
      const [program, ...rest] = command(args);
      const started = await startSession(program, rest, {
        cwd: directory,
        env,
        logFile: path.join(directory, `${name}.log`),
      });
      record(directory, { kind: 'session', what: `shardlift ${name}`, process: started });
      return started;
    },
  };
}
