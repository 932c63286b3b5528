import type { ClusterConnection, Side } from '../../contracts/runbook';
import { ClientError } from '../client-error';
import { exitCodes } from '../exit-codes';
import { lazy } from '../lazy';
import type { Session } from '../session';

export interface ConnectionOptions {
  user?: string;
  password?: string;
  apiKey?: string;
  ca?: string;
}

/** As `contracts/runbook.ts` has it, which is not loaded for this: it takes its time. */
const secretReference = /^\$\{(env|file):[^}\r\n]+\}$/;

/** A cluster as it is named on the command line: addresses, or a runbook that has it as its source or target. */
export async function readConnection(
  session: Session,
  side: Side,
  text: string,
  { user, password, apiKey, ca }: ConnectionOptions,
): Promise<ClusterConnection> {
  const wrong = (message: string, remedy?: string) => new ClientError(exitCodes.inputWrong, message, remedy);
  if (!/^https?:\/\//.test(text)) {
    if (user ?? password ?? apiKey ?? ca)
      throw wrong('a runbook says itself how to authenticate: leave out --user, --password, --api-key and --ca');
    return (await lazy.runbookFile().readRunbook(text, session.io.stdin)).runbook[side];
  }
  const urls = text.split(',').map((url) => url.trim());
  for (const url of urls) {
    if (!URL.canParse(url)) throw wrong(`--${side}: ${url} is no address`);
    if (new URL(url).username !== '')
      throw wrong(
        `--${side}: an address without user name and password`,
        'say --user, and --password with a reference',
      );
  }
  for (const secret of [password, apiKey]) {
    if (secret !== undefined && !secretReference.test(secret))
      throw wrong('a secret is named, never written', "write --password '${env:NAME}' or '${file:/absolute/path}'");
  }
  if ((user === undefined) !== (password === undefined)) throw wrong('--user and --password go together');
  if (user !== undefined && apiKey !== undefined) throw wrong('either --user and --password, or --api-key');
  return {
    urls,
    ...(ca === undefined ? {} : { tls: { ca } }),
    ...(user !== undefined && password !== undefined ? { auth: { basic: { username: user, password } } } : {}),
    ...(apiKey === undefined ? {} : { auth: { apiKey } }),
  };
}
