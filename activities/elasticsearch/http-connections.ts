import { HTTPParser } from 'http-parser-js';
import net from 'node:net';
import tls from 'node:tls';
import { isIssuedBy } from './fingerprint';
import { buffers } from './reused-buffers';

/**
 * Kept HTTP/1.1 connections to one node, for bodies that are bytes on both ways. `node:http` and undici make two buffers of
 * each 64 KB that come, and for that garbage the whole worker is searched again and again: these sockets read into
 * one piece of memory each, and what is body goes from there to where it stays (docs/copy-performance.md).
 */
export interface HttpConnections {
  /** Once it has settled the body is not read any more, however it ended. */
  exchange(request: HttpRequest): Promise<HttpAnswer>;
  /** Ends those under way, too. */
  destroy(): void;
}

export interface HttpRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: readonly Buffer[];
  /** Of the whole exchange, not of the socket's silence: a server that drips bytes is no better than a silent one. */
  timeoutMs: number;
  signal?: AbortSignal;
  /** Called right before it is sent, which is perhaps long after it was asked for: it is not sent when this throws. */
  begin?(): void;
  /** Called once the headers of the answer are there: it is not read to its end when this throws. */
  accept?(head: HttpHead): void;
  /** With bytes that have come, or are announced: it is not read to its end when this throws. */
  sized?(bytes: number): void;
}

export interface HttpHead {
  status: number;
  /** By their names in small letters. */
  headers: Record<string, string>;
}

export interface HttpAnswer extends HttpHead {
  /** May be given back to `buffers`. */
  body: Buffer;
}

export interface HttpNode {
  url: URL;
  /** Of the authority; those that Node trusts unless given. */
  ca?: string;
  /** Of the authority, SHA-256: in the place of all other checks of the certificate. */
  fingerprint?: string;
}

/** What is read at once. More of it would be fewer system calls, and more memory for each connection. */
const readBytes = 128 << 10;
/** It counts what it was given at once, bodies too, as headers. */
HTTPParser.maxHeaderSize = readBytes + (80 << 10);
/** Of an answer that does not say how long it will be. */
const firstBytes = 256 << 10;

export function httpConnections(node: HttpNode, most: number): HttpConnections {
  const open = new Set<Connection>();
  /** The last used is taken first: of many, few stay busy. */
  const idle: Connection[] = [];
  const waiting: (() => void)[] = [];
  const connect = connector(node);
  let isDestroyed = false;

  /** Whoever was let through, and does not go, lets the next one. */
  const passOn = () => waiting.shift()?.();

  function next(): Connection | undefined {
    for (let found = idle.pop(); found !== undefined; found = idle.pop()) if (found.isUsable) return found;
    if (open.size >= most) return undefined;
    const made = new Connection(connect, () => {
      open.delete(made);
      passOn();
    });
    open.add(made);
    return made;
  }

  function turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const pass = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        waiting.splice(waiting.indexOf(pass), 1);
        reject(reasonOf(signal));
      };
      waiting.push(pass);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  return {
    async exchange(request) {
      for (;;) {
        if (isDestroyed) throw lostConnection('the client was closed');
        if (request.signal?.aborted === true) {
          passOn();
          throw reasonOf(request.signal);
        }
        const connection = next();
        if (connection === undefined) {
          await turn(request.signal);
          continue;
        }
        try {
          return await connection.exchange(node.url, request);
        } finally {
          // one that is gone has told so by itself
          if (connection.isUsable) {
            idle.push(connection);
            passOn();
          }
        }
      }
    },
    destroy() {
      isDestroyed = true;
      for (const connection of open) connection.end(lostConnection('the client was closed'));
      for (const pass of waiting.splice(0)) pass();
    },
  };
}

interface UnderWay {
  request: HttpRequest;
  resolve(answer: HttpAnswer): void;
  reject(error: Error): void;
  isBegun: boolean;
  isSent: boolean;
  isKept: boolean;
  head?: HttpHead;
  body?: Buffer;
  size: number;
  isWhole: boolean;
  /** Nothing came behind it: what has begun there would be taken for the answer to the next request. */
  isLast: boolean;
}

/** One socket, one request at a time. */
class Connection {
  isUsable = true;
  private readonly socket: net.Socket;
  private readonly ready: Promise<void>;
  private readonly parser = new HTTPParser(HTTPParser.RESPONSE);
  private underWay: UnderWay | undefined;

  constructor(connect: Connector, onGone: () => void) {
    const onread = {
      buffer: Buffer.allocUnsafeSlow(readBytes),
      callback: (bytes: number) => this.read(onread.buffer, bytes),
    };
    const { socket, ready } = connect(onread);
    this.socket = socket;
    this.ready = ready;
    // told to whoever waits for it below
    ready.catch(() => undefined);
    socket.setNoDelay(true);
    // through a firewall that forgets silent connections
    socket.setKeepAlive(true, 1_000);
    socket.on('error', (error) => this.end(error));
    socket.on('end', () => this.ended());
    socket.on('close', () => {
      this.end(lostConnection('the connection was closed before the answer was there'));
      onGone();
    });
    const { parser } = this;
    parser[HTTPParser.kOnHeadersComplete] = ({ statusCode, headers, shouldKeepAlive }) =>
      this.headCame({ status: statusCode, headers: byName(headers) }, shouldKeepAlive);
    parser[HTTPParser.kOnBody] = (piece, offset, length) => this.bodyCame(piece, offset, length);
    parser[HTTPParser.kOnMessageComplete] = () => this.wholeCame();
  }

  exchange(url: URL, request: HttpRequest): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const { signal, timeoutMs } = request;
      const abort = () => this.end(reasonOf(signal));
      const timer = setTimeout(() => this.end(timeoutError(timeoutMs)), timeoutMs);
      const settled = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        this.underWay = undefined;
      };
      const underWay: UnderWay = {
        request,
        resolve: (answer) => {
          settled();
          resolve(answer);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
        isBegun: false,
        isSent: false,
        isKept: false,
        size: 0,
        isWhole: false,
        isLast: false,
      };
      this.underWay = underWay;
      signal?.addEventListener('abort', abort, { once: true });
      this.ready.then(
        () => {
          if (this.underWay === underWay) this.send(url, underWay);
        },
        (error: Error) => this.end(error),
      );
    });
  }

  /** For good; what is under way fails with the error. */
  end(error?: Error): void {
    this.isUsable = false;
    // before it is told: from here on nothing reads the request's body
    this.socket.destroy();
    if (error) this.underWay?.reject(error);
  }

  private send(url: URL, underWay: UnderWay): void {
    const { socket } = this;
    const { method, path, headers, body, begin } = underWay.request;
    const sent = () => (underWay.isSent = true);
    try {
      begin?.();
      const head = headOf(method, path, { host: url.host, ...headers });
      const pieces = [Buffer.from(head, 'latin1'), ...body];
      underWay.isBegun = true;
      // in one system call, as far as it goes
      socket.cork();
      for (const [at, piece] of pieces.entries()) socket.write(piece, at === pieces.length - 1 ? sent : undefined);
      socket.uncork();
    } catch (error) {
      this.end(error as Error);
    }
  }

  /** Answers whether there is more to be read. */
  private read(from: Buffer, bytes: number): boolean {
    const { underWay } = this;
    if (underWay?.isBegun !== true) {
      // an answer that nobody has asked for: whatever comes after it would be taken for what it is not
      this.end(lostConnection('an answer came before anything was asked'));
      return false;
    }
    let failure: Error | undefined;
    try {
      const parsed = this.parser.execute(from, 0, bytes);
      if (typeof parsed !== 'number') failure = parsed;
    } catch (error) {
      // of `accept` and `sized`, or an answer after the answer
      failure = error as Error;
    }
    if (underWay.isWhole) this.settle(underWay, failure === undefined && underWay.isLast);
    else if (failure !== undefined) this.end(failure);
    return this.isUsable;
  }

  /** The other side sends no more; an answer without a length ends so. */
  private ended(): void {
    const { underWay } = this;
    if (underWay?.head !== undefined && this.parser.finish() === undefined && underWay.isWhole)
      this.settle(underWay, false);
    this.end(lostConnection('the connection was closed before the answer was whole'));
  }

  private headCame(head: HttpHead, isKept: boolean): void {
    const { underWay } = this;
    if (underWay === undefined || underWay.isWhole) throw new Error('an answer came that nobody had asked for');
    underWay.head = head;
    if (isProvisional(head)) return;
    underWay.isKept = isKept;
    underWay.request.accept?.(head);
    const text = head.headers['content-length'];
    if (text === undefined) return;
    if (!/^\d{1,15}$/.test(text)) throw new Error('Parse Error: content-length is no number');
    const announced = Number(text);
    underWay.request.sized?.(announced);
    underWay.body = buffers.take(announced);
  }

  private bodyCame(piece: Buffer, offset: number, length: number): void {
    const { underWay } = this;
    if (underWay === undefined) return;
    // a chunk whose length is no number
    if (!(length >= 0)) throw new Error('Parse Error: a piece of the answer has no length');
    const size = underWay.size + length;
    underWay.request.sized?.(size);
    underWay.body = withRoom(underWay.body, underWay.size, size);
    piece.copy(underWay.body, underWay.size, offset, offset + length);
    underWay.size = size;
  }

  private wholeCame(): void {
    const { underWay } = this;
    if (underWay?.head === undefined || isProvisional(underWay.head)) return;
    underWay.isWhole = true;
    const { offset, end } = this.parser as unknown as { offset: number; end: number };
    underWay.isLast = offset === end;
  }

  private settle({ head, body, size, isSent, isKept, resolve }: UnderWay, isInStep: boolean): void {
    // an answer before the request was sent, as one that is too large gets: the rest of it is not sent
    if (!isInStep || !isKept || !isSent) {
      this.isUsable = false;
      this.socket.destroy();
    }
    resolve({ ...head!, body: body === undefined ? Buffer.alloc(0) : body.subarray(0, size) });
  }
}

function isProvisional({ status }: HttpHead): boolean {
  return status < 200;
}

function withRoom(body: Buffer | undefined, used: number, wanted: number): Buffer {
  if (body !== undefined && wanted <= body.length) return body;
  const larger = buffers.take(Math.max(firstBytes, wanted, (body?.length ?? 0) * 2));
  if (body !== undefined) {
    body.copy(larger, 0, 0, used);
    buffers.giveBack(body);
  }
  return larger;
}

function byName(pairs: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let at = 0; at + 1 < pairs.length; at += 2) headers[pairs[at]!.toLowerCase()] = pairs[at + 1]!;
  return headers;
}

/** @throws for what would begin another header, or another request. */
function headOf(method: string, path: string, headers: Record<string, string>): string {
  const lines = [`${method} ${path} HTTP/1.1`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  if (/[^\x21-\x7e]/.test(path)) throw new Error('a path has characters that are not escaped');
  // eslint-disable-next-line no-control-regex
  if (lines.some((line) => /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/.test(line)))
    throw new Error('a header, as the authorization, has characters that no header may have, such as a line feed');
  return `${lines.join('\r\n')}\r\n\r\n`;
}

type OnRead = NonNullable<net.TcpNetConnectOpts['onread']>;
/** `ready`: connected, and certain who the other side is. No password is sent before. */
type Connector = (onread: OnRead) => { socket: net.Socket; ready: Promise<void> };

function connector({ url, ca, fingerprint }: HttpNode): Connector {
  const isTls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const address = { host, port: Number(url.port || (isTls ? 443 : 80)) };
  if (!isTls)
    return (onread) => {
      const socket = net.connect({ ...address, onread });
      return { socket, ready: once(socket, 'connect') };
    };
  const secureContext = tls.createSecureContext(ca === undefined ? {} : { ca });
  const servername = net.isIP(host) === 0 ? host : '';
  return (onread) => {
    const options = { ...address, servername, secureContext, ALPNProtocols: ['http/1.1'], onread };
    const socket = tls.connect({ ...options, rejectUnauthorized: fingerprint === undefined });
    const ready = once(socket, 'secureConnect').then(() => {
      if (fingerprint === undefined || isIssuedBy(socket.getPeerX509Certificate(), fingerprint)) return;
      throw new Error('certificate error: no authority of that fingerprint has issued the server’s certificate');
    });
    return { socket, ready };
  };
}

function once(socket: net.Socket, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve());
    socket.once('error', reject);
    socket.once('close', () => reject(lostConnection('the connection was closed before it was there')));
  });
}

function reasonOf(signal: AbortSignal | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new Error('cancelled');
}

function lostConnection(message: string): Error {
  return Object.assign(new Error(message), { code: 'ECONNRESET' });
}

function timeoutError(timeoutMs: number): Error {
  const error = new Error(`no whole answer within ${timeoutMs} ms`);
  error.name = 'TimeoutError';
  return error;
}
