import net from 'node:net';
import { httpConnections, type HttpRequest } from '../../activities/elasticsearch/http-connections';

/** What a server does with the bytes of one request; with a connection for each it is told which one it is. */
type Behaviour = (request: string, socket: net.Socket, connection: number) => void;

let server: net.Server | undefined;
let url: URL;
let accepted = 0;

/** Sees requests as bytes, and may answer with what no HTTP library would. */
async function serve(behave: Behaviour): Promise<void> {
  accepted = 0;
  server = net.createServer((socket) => {
    const connection = ++accepted;
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/.exec(text)?.[1] ?? 0);
      if (end < 0 || text.length < end + 4 + length) return;
      const request = text.slice(0, end + 4 + length);
      text = '';
      behave(request, socket, connection);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  url = new URL(`http://127.0.0.1:${(server.address() as net.AddressInfo).port}`);
}

afterEach(() => void server?.close());

const ask = (more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'POST',
  path: '/_bulk',
  headers: { 'content-length': String(more.body?.reduce((sum, { length }) => sum + length, 0) ?? 0) },
  body: [],
  timeoutMs: 5_000,
  ...more,
});

const answer = (body: string, headers = '') =>
  `HTTP/1.1 200 OK\r\n${headers}content-length: ${body.length}\r\n\r\n${body}`;

test('bodies of several buffers arrive whole, and one connection serves one request after the other', async () => {
  await serve((request, socket) => socket.write(answer(request.slice(request.indexOf('\r\n\r\n') + 4))));
  const connections = httpConnections({ url }, 4);
  for (let turn = 0; turn < 3; turn++) {
    const body = [Buffer.from('a'), Buffer.alloc(300_000, 'b'), Buffer.from(`c${turn}`)];
    const { status, body: echoed } = await connections.exchange(ask({ body }));
    expect(status).toBe(200);
    expect(echoed.equals(Buffer.concat(body))).toBe(true);
  }
  expect(accepted).toBe(1);
  connections.destroy();
});

test('the request has its host and its headers, and nothing that would begin another', async () => {
  await serve((request, socket) => socket.write(answer(request.slice(0, request.indexOf('\r\n\r\n')))));
  const connections = httpConnections({ url }, 1);
  const { body } = await connections.exchange(ask({ headers: { authorization: 'Basic x', 'content-length': '0' } }));
  expect(body.toString().split('\r\n')).toEqual([
    'POST /_bulk HTTP/1.1',
    `host: ${url.host}`,
    'authorization: Basic x',
    'content-length: 0',
  ]);
  const evil = { authorization: 'ApiKey x\r\nx-other: 1', 'content-length': '0' };
  await expect(connections.exchange(ask({ headers: evil }))).rejects.toThrow(/line feed/);
  await expect(connections.exchange(ask({ path: '/a b' }))).rejects.toThrow(/not escaped/);
  connections.destroy();
});

test('no more connections than allowed; who waits comes in turn, or leaves when told', async () => {
  const held: (() => void)[] = [];
  await serve((_, socket) => void held.push(() => socket.write(answer('x'))));
  const connections = httpConnections({ url }, 2);
  const two = [connections.exchange(ask()), connections.exchange(ask())];
  const stop = new AbortController();
  const left = connections.exchange(ask({ signal: stop.signal }));
  const third = connections.exchange(ask());
  while (held.length < 2) await new Promise((resolve) => setImmediate(resolve));
  expect(accepted).toBe(2);
  stop.abort(new Error('told to'));
  await expect(left).rejects.toThrow('told to');
  for (const go of held.splice(0)) go();
  await Promise.all(two);
  while (held.length < 1) await new Promise((resolve) => setImmediate(resolve));
  held[0]?.();
  expect((await third).status).toBe(200);
  expect(accepted).toBe(2);
  connections.destroy();
});

test('an answer in chunks, one that the end of the connection ends, and one after a provisional one', async () => {
  const bodies = [
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nabcdefg',
    'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcdefg',
  ];
  let turn = 0;
  await serve((_, socket) => {
    const text = bodies[turn++] ?? '';
    // byte by byte, as a slow network has it
    void (async () => {
      for (const byte of text) {
        socket.write(byte);
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (text.includes('close')) socket.end();
    })();
  });
  const connections = httpConnections({ url }, 1);
  for (const _ of bodies) expect((await connections.exchange(ask())).body.toString()).toBe('abcdefg');
  connections.destroy();
});

test.each([
  ['ends within its length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', /before the answer was whole/],
  [
    'ends within its chunks',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab',
    /before the answer was whole/,
  ],
  ['has a chunk without a length', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-3\r\nab', /no length/],
  ['has a length that is no number', 'HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nab', /no number/],
  ['ends within its headers', 'HTTP/1.1 200 OK\r\ncontent-le', /before the answer was whole/],
  ['never begins', '', /before the answer was/],
  ['is no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', /Parse Error/],
])('an answer that %s is none, and the next request has a connection of its own', async (_, broken, message) => {
  await serve((__, socket, connection) => void socket.end(connection === 1 ? broken : answer('x')));
  const connections = httpConnections({ url }, 1);
  await expect(connections.exchange(ask())).rejects.toThrow(message);
  expect((await connections.exchange(ask())).status).toBe(200);
  connections.destroy();
});

test('a second answer is no answer to the next request', async () => {
  await serve((_, socket, connection) => {
    socket.write(answer('first'));
    if (connection === 1) socket.write(answer('stray'));
  });
  const connections = httpConnections({ url }, 1);
  expect((await connections.exchange(ask())).body.toString()).toBe('first');
  // whether it came with the first or later, its connection is given up
  for (let turn = 0; turn < 5; turn++) {
    const found = await connections.exchange(ask()).catch(() => undefined);
    if (found && accepted > 1) expect(found.body.toString()).toBe('first');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(accepted).toBeGreaterThan(1);
  connections.destroy();
});

test('pieces of a second answer, too', async () => {
  await serve((_, socket, connection) => {
    // the rest of it would come when the next request waits for its answer
    socket.write(`${answer('first')}${connection === 1 ? 'HTTP/1.1 200 O' : ''}`);
  });
  const connections = httpConnections({ url }, 1);
  for (let turn = 0; turn < 2; turn++) expect((await connections.exchange(ask())).body.toString()).toBe('first');
  expect(accepted).toBe(2);
  connections.destroy();
});

test('large answers, in whatever pieces they come, leave their connection of use', async () => {
  const body = 'x'.repeat(100_000);
  await serve((_, socket) => socket.write(answer(body)));
  const connections = httpConnections({ url }, 1);
  for (let turn = 0; turn < 20; turn++) expect((await connections.exchange(ask())).body).toHaveLength(body.length);
  expect(accepted).toBe(1);
  connections.destroy();
});

test('what may not be sent any more is not, though it waited for a connection', async () => {
  const asked: string[] = [];
  await serve((request, socket) => {
    asked.push(request);
    socket.write(answer('x'));
  });
  const connections = httpConnections({ url }, 1);
  let isLost = false;
  const begin = () => {
    if (isLost) throw new Error('lost');
  };
  const first = connections.exchange(ask({ begin }));
  const second = connections.exchange(ask({ begin }));
  await first;
  isLost = true;
  await expect(second).rejects.toThrow('lost');
  expect(asked).toHaveLength(1);
  connections.destroy();
});

test('an answer that comes before all was sent ends the connection', async () => {
  await serve(() => undefined);
  server?.removeAllListeners('connection');
  server?.on('connection', (socket) => {
    accepted++;
    socket.on('error', () => undefined);
    // reads the headers only
    socket.once('data', () => {
      socket.pause();
      socket.write('HTTP/1.1 413 Request Entity Too Large\r\ncontent-length: 0\r\n\r\n');
    });
  });
  const connections = httpConnections({ url }, 1);
  const body = [Buffer.alloc(64 << 20)];
  expect((await connections.exchange(ask({ body }))).status).toBe(413);
  expect((await connections.exchange(ask({ body }))).status).toBe(413);
  expect(accepted).toBe(2);
  connections.destroy();
});

test('what is refused by its head, or is too large, is not read to its end', async () => {
  await serve((_, socket) =>
    socket.write('HTTP/1.1 200 OK\r\nx-opaque-id: other\r\ncontent-length: 1000000\r\n\r\nab'),
  );
  const connections = httpConnections({ url }, 1);
  const accept = () => {
    throw new Error('not mine');
  };
  await expect(connections.exchange(ask({ accept }))).rejects.toThrow('not mine');
  const sized = (bytes: number) => {
    if (bytes > 1_000) throw new Error('too large');
  };
  await expect(connections.exchange(ask({ sized }))).rejects.toThrow('too large');
  connections.destroy();
});

test('the time limit, an abort and the end of the client end what is under way', async () => {
  await serve((_, socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nab'));
  const connections = httpConnections({ url }, 3);
  await expect(connections.exchange(ask({ timeoutMs: 50 }))).rejects.toThrow(/no whole answer within 50 ms/);
  const stop = new AbortController();
  const aborted = connections.exchange(ask({ signal: stop.signal }));
  stop.abort(new Error('told to'));
  await expect(aborted).rejects.toThrow('told to');
  const closed = connections.exchange(ask());
  connections.destroy();
  await expect(closed).rejects.toThrow('the client was closed');
  await expect(connections.exchange(ask())).rejects.toThrow('the client was closed');
});

test('a connection that the server has closed meanwhile is not used again', async () => {
  let first: net.Socket | undefined;
  await serve((_, socket) => {
    first ??= socket;
    socket.write(answer('x'));
  });
  const connections = httpConnections({ url }, 1);
  await connections.exchange(ask());
  const closed = new Promise((resolve) => first?.once('close', resolve));
  first?.end();
  await closed;
  expect((await connections.exchange(ask())).status).toBe(200);
  expect(accepted).toBe(2);
  connections.destroy();
});

test('a node that is not there', async () => {
  await serve(() => undefined);
  await new Promise((resolve) => server?.close(resolve));
  const connections = httpConnections({ url }, 1);
  await expect(connections.exchange(ask())).rejects.toThrow(/ECONNREFUSED/);
  connections.destroy();
});
