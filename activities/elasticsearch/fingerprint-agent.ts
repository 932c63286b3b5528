import type { X509Certificate } from 'node:crypto';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';

/**
 * Connections to servers whose certificate was issued by the authority with this fingerprint, and by nobody else. A request
 * gets its connection only once that is certain, so that no password reaches a server that is not known.
 */
export class FingerprintAgent extends https.Agent {
  private readonly wanted: string;

  constructor(options: https.AgentOptions, fingerprint: string) {
    super(options);
    this.wanted = plain(fingerprint);
  }

  override createConnection(
    options: tls.ConnectionOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    // The authority is in no store: what Node itself would check is checked below.
    const socket = tls.connect({ ...options, rejectUnauthorized: false });
    const fail = (error: Error) => callback?.(error, socket);
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      socket.off('error', fail);
      if (isIssuedBy(socket.getPeerX509Certificate(), this.wanted)) return callback?.(null, socket);
      socket.destroy();
      fail(new Error('certificate error: no authority of that fingerprint has issued the server’s certificate'));
    });
    return undefined;
  }
}

/** Follows the chain that the server sent, each certificate signed by the key of the next, up to the wanted one. */
function isIssuedBy(leaf: X509Certificate | undefined, wanted: string): boolean {
  let certificate = leaf;
  for (let depth = 0; certificate && depth < longestChain; depth++) {
    if (plain(certificate.fingerprint256) === wanted) return true;
    const issuer: X509Certificate | undefined = certificate.issuerCertificate;
    if (!issuer || !certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) return false;
    certificate = issuer;
  }
  return false;
}

const longestChain = 8;

function plain(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toUpperCase();
}
