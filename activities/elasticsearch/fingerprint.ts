import type { X509Certificate } from 'node:crypto';

/**
 * Whether the authority with this SHA-256 fingerprint has issued the certificate: the chain that the server sent is followed,
 * each certificate signed by the key of the next, up to the wanted one. The authority is in no store, so this stands in
 * the place of what Node itself would check.
 */
export function isIssuedBy(leaf: X509Certificate | undefined, fingerprint: string): boolean {
  const wanted = plain(fingerprint);
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
