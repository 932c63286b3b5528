import { createReadStream, statSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { CONTROLLER } from './hosts/network';

/**
 * Runs inside a lab's network namespace. It serves the package repository to the hosts at http://10.99.0.1/packages/, and
 * on a Unix socket, which is reached from any namespace, it passes HTTP requests on to hosts (http.ts, `via`).
 */
function servePackages(packages: string): http.Server {
  return http.createServer((request, response) => {
    const name = path.basename(decodeURIComponent(new URL(request.url ?? '/', 'http://lab').pathname));
    const file = path.join(packages, name);
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined || !found.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-length': found.size, 'last-modified': found.mtime.toUTCString() });
    if (request.method === 'HEAD') response.end();
    else createReadStream(file).pipe(response);
  });
}

function passOn(): http.Server {
  const agent = new http.Agent({ keepAlive: true });
  return http.createServer((request, response) => {
    const url = new URL(request.url ?? '/');
    const options = {
      host: url.hostname,
      port: url.port,
      path: url.pathname + url.search,
      method: request.method,
      headers: request.headers,
      agent,
    };
    const onward = http.request(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    // the asker sees a broken connection, as it would without us in between
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
}

const [packages, socket] = process.argv.slice(2);
if (packages === undefined || socket === undefined) throw new Error('usage: relay.ts PACKAGES SOCKET');
servePackages(packages).listen(80, CONTROLLER);
passOn().listen(socket);
