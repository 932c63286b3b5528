import { ClientError } from '../client-error';
import { exitCodes } from '../exit-codes';
import type { Session } from '../session';
import type { ClusterAnswers } from './cluster-answers';
import type { InitHost } from './runbook-text';

/** An answer from a flag, or from a person, or the default; without a person and a default the flag is named. */
export async function answer(
  session: Session,
  given: string | undefined,
  question: string,
  flag: string,
  fallback?: string,
): Promise<string> {
  if (given !== undefined) return given;
  if (session.canAsk) {
    const typed = await session.ask(`${question}${fallback === undefined ? '' : ` [${fallback}]`}: `);
    if (typed !== '') return typed;
  }
  if (fallback !== undefined) return fallback;
  throw new ClientError(exitCodes.inputWrong, `${flag} is missing: ${question.toLowerCase()}`);
}

/** `--host h11=10.77.0.11:source` */
export function parseHost(text: string): InitHost {
  const [, name, address, role] = /^([^=]+)=(.+):(source|target|storage|jump)$/.exec(text) ?? [];
  if (name === undefined || address === undefined || role === undefined) {
    throw new ClientError(
      exitCodes.inputWrong,
      `--host: found "${text}", expected name=address:role, role one of source, target, storage, jump`,
    );
  }
  return { name, address, role };
}

/**
 * Where no host is named, the nodes say where they are; one machine with several nodes is one host. None where a machine has
 * nodes of both clusters, as a test on one computer: a host has one role, and what is set on it would be set for both.
 */
export function hostsOf(source: ClusterAnswers, target: ClusterAnswers): InitHost[] {
  const ofSource = new Set(source.nodes.map(({ address }) => address));
  if (target.nodes.some(({ address }) => ofSource.has(address))) return [];
  const hosts = new Map<string, InitHost>();
  for (const [role, answers] of [['source', source] as const, ['target', target] as const]) {
    for (const { name, address } of answers.nodes) {
      const clean =
        name
          .replace(/[^A-Za-z0-9._-]/g, '-')
          .replace(/^[^A-Za-z0-9]+/, '')
          .slice(0, 60) || 'node';
      const taken = [...hosts.values()].some((each) => each.name === clean);
      if (!hosts.has(address)) hosts.set(address, { name: taken ? `${role}-${clean}` : clean, address, role });
    }
  }
  return [...hosts.values()];
}
