import { execFileSync } from 'node:child_process';
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { serverHome } from '../../lab/elasticsearch/home';
import { makeNode, type ElasticsearchNode } from '../../lab/elasticsearch/node';
import { madeReachable, serverUser } from '../../lab/elasticsearch/user';
import { freePort } from '../../lab/ports';

/** As Elasticsearch's file realm keeps it: PBKDF2 with HMAC-SHA512. */
export function hashed(secret: string): string {
  const salt = randomBytes(32);
  const key = pbkdf2Sync(secret, salt, 10_000, 32, 'sha512');
  return `{PBKDF2}10000$${salt.toString('base64')}$${key.toString('base64')}`;
}

function openssl(keys: string, line: string): void {
  execFileSync('openssl', line.split(' '), { cwd: keys, stdio: 'pipe' });
}

/** Two authorities, `ca` and `other-ca`; and a certificate for a node on loopback, signed by the first. */
export function makeCertificates(keys: string): void {
  for (const name of ['ca', 'other-ca'])
    openssl(keys, `req -x509 -newkey rsa:2048 -nodes -keyout ${name}.key -out ${name}.pem -days 2 -subj /CN=${name}`);
  openssl(keys, 'req -newkey rsa:2048 -nodes -keyout node.key -out node.csr -subj /CN=node');
  writeFileSync(path.join(keys, 'san'), 'subjectAltName=IP:127.0.0.1');
  openssl(keys, 'x509 -req -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out node.pem -days 2 -extfile san');
}

/** A node with TLS and users of its own, not started: what a cluster looks like that is not on a developer's machine. */
export async function makeSecuredNode(options: {
  name: string;
  version: string;
  labDirectory: string;
  keys: string;
  users: string;
  usersRoles: string;
  heap?: string;
}): Promise<{ node: ElasticsearchNode; url: string }> {
  const { name, version, labDirectory, keys } = options;
  const user = await serverUser();
  const httpPort = await freePort();
  const read = (file: string) => readFileSync(path.join(keys, file), 'utf8');
  const node = await makeNode({
    version,
    name,
    home: madeReachable(await serverHome(version), path.join(labDirectory, 'homes', version), user),
    user,
    labDirectory,
    httpPort,
    heap: options.heap ?? '400m',
    jvmOptions: [],
    settings: {
      'cluster.name': name,
      'node.name': name,
      'network.host': '127.0.0.1',
      'http.port': httpPort,
      'transport.port': await freePort(),
      'discovery.type': 'single-node',
      'xpack.security.enabled': true,
      'xpack.security.http.ssl.enabled': true,
      'xpack.security.http.ssl.key': 'node.key',
      'xpack.security.http.ssl.certificate': 'node.pem',
      'xpack.security.transport.ssl.enabled': true,
      'xpack.security.transport.ssl.key': 'node.key',
      'xpack.security.transport.ssl.certificate': 'node.pem',
    },
    configFiles: {
      'node.key': read('node.key'),
      // The whole chain, as Elasticsearch's own set-up makes it: a fingerprint is compared with the authority's certificate.
      'node.pem': read('node.pem') + read('ca.pem'),
      users: options.users,
      users_roles: options.usersRoles,
    },
  });
  return { node, url: `https://127.0.0.1:${httpPort}` };
}

/** Plain HTTP for the tests' own writer and reader, which know neither TLS nor users. */
export async function openDoor(
  to: string,
  user: string,
  password: string,
): Promise<{ url: string; close(): Promise<void> }> {
  const { hostname, port } = new URL(to);
  const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const server = http.createServer((request, response) => {
    const { method, url, headers } = request;
    const onward = https.request(
      { hostname, port, path: url, method, agent, headers: { ...headers, authorization } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
