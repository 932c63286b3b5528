import { createServer } from 'node:net';
import { ClientError } from '../client-error';
import { exitCodes } from '../exit-codes';

const loopback = '127.0.0.1';

/** Opens the port for a moment; answers the port's number, or undefined when it is taken. */
function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ host: loopback, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}

/** The port that was asked for, or else the usual one, or else any free one: other verbs find it by the state file. */
export async function choosePort(asked: number | undefined, usual: number, option: string): Promise<number> {
  const port = await tryPort(asked ?? usual);
  if (port !== undefined) return port;
  const free = asked === undefined ? await tryPort(0) : undefined;
  if (free !== undefined) return free;
  throw new ClientError(
    exitCodes.refused,
    `port ${asked ?? usual} is taken on ${loopback}`,
    `name another one with ${option}, or 0 for any`,
  );
}
