import http from 'node:http';

/** A small HTTP client of the lab's own, so that what tests check with does not share code with what they check. */
export interface LabRequest {
  method?: string;
  url: string;
  /** A string or bytes go out as they are, anything else as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  /** The socket of a relay (relay.ts) to a network that this process is not in. */
  via?: string;
  timeoutMs?: number;
}

export interface LabResponse {
  status: number;
  body: Buffer;
}

const agents = new Map<string, http.Agent>();

function agentFor(via: string): http.Agent {
  let agent = agents.get(via);
  if (agent === undefined) {
    agent = new http.Agent({ keepAlive: true, maxSockets: 16, timeout: 120_000 });
    agents.set(via, agent);
  }
  return agent;
}

function bytesOf(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined;
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

export function request(options: LabRequest): Promise<LabResponse> {
  const url = new URL(options.url);
  const body = bytesOf(options.body);
  const headers: Record<string, string | number> = { ...options.headers };
  if (body !== undefined) {
    headers['content-type'] ??= 'application/json';
    headers['content-length'] = body.length;
  }
  const target =
    options.via === undefined
      ? { host: url.hostname, port: url.port, path: url.pathname + url.search }
      : { socketPath: options.via, path: options.url };
  if (options.via !== undefined) headers['host'] = url.host;
  return new Promise((resolve, reject) => {
    const timeoutMs = options.timeoutMs ?? 60_000;
    const sent = http.request(
      {
        ...target,
        method: options.method ?? (body === undefined ? 'GET' : 'POST'),
        headers,
        agent: agentFor(options.via ?? ''),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
      },
    );
    sent.setTimeout(timeoutMs, () => sent.destroy(new Error(`${options.url} did not answer within ${timeoutMs} ms`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** The answer as JSON; an answer of 400 and above is an error, with what the server said. */
export async function json<T = Record<string, unknown>>(options: LabRequest): Promise<T> {
  const { status, body } = await request(options);
  if (status >= 400) {
    throw new Error(`${options.method ?? 'GET'} ${options.url}: ${status} ${body.toString().slice(0, 600)}`);
  }
  return JSON.parse(body.toString()) as T;
}

/** An index name, or anything else, as one segment of a URL's path. */
export function segment(name: string): string {
  return encodeURIComponent(name).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
}
