import { readFile } from 'node:fs/promises';
import { secretReferencePattern } from '../contracts/runbook';
import { permanent } from './failure';

/**
 * Turns `${env:NAME}` or `${file:/path}` into the secret. Only the worker calls it, at the moment of use: the value goes
 * into a connection's options and nowhere else. A file's last line end is left out, as editors add one.
 * Safe to repeat: reads only.
 */
export async function resolveSecret(reference: string): Promise<string> {
  const match = secretReferencePattern.exec(reference);
  const unresolved = (message: string, remedy: string) =>
    permanent({ type: 'SecretUnresolved', message, where: reference, remedy });
  const name = match?.[2];
  if (!match || !name) throw unresolved('not a secret reference', 'write ${env:NAME} or ${file:/absolute/path}');
  if (match[1] === 'env') {
    const value = process.env[name];
    if (!value) {
      throw unresolved(
        `the worker's environment has no ${name}, or it is empty`,
        `set ${name} in the environment of every worker, start them again, then retry`,
      );
    }
    return value;
  }
  try {
    return (await readFile(name, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw unresolved(
      `the worker cannot read ${name}: ${code}`,
      'put the file there on every machine that runs a worker, readable by its user, then retry',
    );
  }
}
