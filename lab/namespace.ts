import { spawn } from 'node:child_process';
import { inNamespace } from './hosts/network';

/** Runs a command inside a site's network namespace on our terminal, passing signals on; gives its exit code. */
export function runInNamespace(namespace: string, command: readonly string[]): Promise<number> {
  const [program, ...args] = inNamespace(namespace, command);
  return new Promise((resolve, reject) => {
    // The channel lets the child know when we die, by kill -9 too (guard.ts).
    const child = spawn(program, args, {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    });
    const pass = (signal: NodeJS.Signals) => (): void => void child.kill(signal);
    const handlers = (['SIGTERM', 'SIGHUP'] as const).map((signal) => [signal, pass(signal)] as const);
    // Ctrl-C goes to the whole foreground group: the child has it already and ends in its own time
    const patient = (): void => undefined;
    process.on('SIGINT', patient);
    for (const [signal, handler] of handlers) process.on(signal, handler);
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      process.off('SIGINT', patient);
      for (const [name, handler] of handlers) process.off(name, handler);
      if (child.connected) child.disconnect();
      resolve(code ?? 128 + ({ SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal as string] ?? 1));
    });
  });
}
