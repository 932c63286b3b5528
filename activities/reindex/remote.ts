import type { MigrationRunbook } from '../../contracts/runbook';
import { permanent } from '../failure';
import { resolveSecret } from '../secrets';
import type { Version } from '../elasticsearch/version';

/** How the target's nodes reach the source. `_reindex` wants the port written out, also the usual one. */
export interface RemoteAddress {
  /** `http://host:port/prefix`, as source.remote.host wants it. */
  host: string;
  /** `host:port`, what the allow list is compared with: as text, so a name is not its address. */
  entry: string;
  isTls: boolean;
}

export function remoteAddress(runbook: MigrationRunbook): RemoteAddress {
  const url = new URL(runbook.reindex?.remoteHost ?? runbook.source.urls[0] ?? '');
  const isTls = url.protocol === 'https:';
  const port = url.port || (isTls ? '443' : '80');
  const prefix = url.pathname.replace(/\/+$/, '');
  return { host: `${url.protocol}//${url.hostname}:${port}${prefix}`, entry: `${url.hostname}:${port}`, isTls };
}

/** OpenSearch took the new name with 2.0 and dropped the old one with 3.0; Elasticsearch kept the old one. */
export function allowlistSettings(version: Version): string[] {
  if (version.distribution !== 'opensearch' || version.major < 2) return ['reindex.remote.whitelist'];
  return version.major === 2 ? ['reindex.remote.allowlist', 'reindex.remote.whitelist'] : ['reindex.remote.allowlist'];
}

/** As Elasticsearch compares: `*` stands for any characters, all else for itself. */
export function isAllowed(patterns: readonly string[], entry: string): boolean {
  return patterns.some((pattern) => {
    const words = pattern
      .trim()
      .split('*')
      .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${words.join('.*')}$`, 's').test(entry);
  });
}

/**
 * The source's address and secret for the body of `_reindex`. The password goes from the worker to the target, in the
 * request and nowhere else: tasks and stored results describe it as `<<>>`. An API key goes as a header, which they leave out.
 */
export async function remoteOf(runbook: MigrationRunbook): Promise<Record<string, unknown>> {
  const { auth } = runbook.source;
  const remote = { host: remoteAddress(runbook).host, socket_timeout: '2m', connect_timeout: '30s' };
  if (auth?.basic) {
    return { ...remote, username: auth.basic.username, password: await resolveSecret(auth.basic.password) };
  }
  if (auth?.apiKey) {
    const key = await resolveSecret(auth.apiKey);
    // it would come back in an error message of the HTTP client
    if (/[^\x21-\x7e]/.test(key)) {
      throw permanent({
        type: 'SecretUnresolved',
        message: 'the API key of the source has characters that no header can carry',
        where: auth.apiKey,
        remedy: 'write the key in its encoded form, base64 of id:key, then retry',
      });
    }
    return { ...remote, headers: { Authorization: `ApiKey ${key}` } };
  }
  return remote;
}
