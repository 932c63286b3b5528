import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** A public host key as SSH sends it: its type is the first string inside. */
export interface HostKey {
  type: string;
  blob: Buffer;
}

export interface KnownKeys {
  accepted: HostKey[];
  revoked: HostKey[];
}

/** "SHA256:…" as ssh and ssh-keygen -l print it. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** The key type that a blob says of itself. */
export function keyType(blob: Buffer): string {
  if (blob.length < 4) return '';
  const length = blob.readUInt32BE(0);
  return length <= blob.length - 4 && length < 100 ? blob.toString('latin1', 4, 4 + length) : '';
}

/** "ssh-ed25519 AAAA…" as in known_hosts; undefined where the text is no key, or not of the type it names. */
export function parseHostKey(text: string): HostKey | undefined {
  const [type, base64] = text.trim().split(/\s+/);
  if (!type || !base64) return undefined;
  const blob = Buffer.from(base64, 'base64');
  return keyType(blob) === type ? { type, blob } : undefined;
}

/**
 * The keys that a known_hosts file names for a host. Understood: plain names, patterns with * and ?, negation with !,
 * `[host]:port`, hashed names (|1|salt|hash), @revoked. @cert-authority lines are passed over: ssh2 takes no host
 * certificates, so such a line can accept nothing.
 */
export function knownKeys(content: string, host: string, port: number): KnownKeys {
  const keys: KnownKeys = { accepted: [], revoked: [] };
  for (const line of content.split(/\r?\n/)) {
    const fields = line.trim().split(/\s+/);
    if (!fields[0] || fields[0].startsWith('#')) continue;
    const marker = fields[0].startsWith('@') ? fields.shift() : undefined;
    if (marker === '@cert-authority') continue;
    const [names, type, base64] = fields;
    if (!names || !type || !base64) continue;
    const key = parseHostKey(`${type} ${base64}`);
    if (!key) continue;
    // a revoked key is refused whatever address it is met at, so its names are taken generously
    if (marker === '@revoked') {
      if (matches(names, host, port) || names === '*') keys.revoked.push(key);
    } else if (marker === undefined && matches(names, host, port)) {
      keys.accepted.push(key);
    }
  }
  return keys;
}

function matches(names: string, host: string, port: number): boolean {
  const wanted = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  if (names.startsWith('|')) return matchesHashed(names, wanted);
  let found = false;
  for (const pattern of names.toLowerCase().split(',')) {
    const negated = pattern.startsWith('!');
    if (!matchesPattern(negated ? pattern.slice(1) : pattern, wanted)) continue;
    if (negated) return false;
    found = true;
  }
  return found;
}

function matchesHashed(name: string, wanted: string): boolean {
  const [, version, salt, hash] = name.split('|');
  if (version !== '1' || !salt || !hash) return false;
  const expected = Buffer.from(hash, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(wanted).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

function matchesPattern(pattern: string, wanted: string): boolean {
  // [ ] are literal here: they only set off a port
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(wanted);
}

/**
 * What to ask sshd for: only types of keys that we know, so that a host known by its ed25519 key is not refused for
 * offering its ECDSA one first. An RSA key is one key with several signature algorithms; the old SHA-1 one comes last.
 */
export function hostKeyAlgorithms(keys: readonly HostKey[]): string[] {
  const types = new Set(keys.map((key) => key.type));
  return supportedAlgorithms.filter((name) => types.has(name.startsWith('rsa-sha2-') ? 'ssh-rsa' : name));
}

const supportedAlgorithms = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
  'ssh-rsa',
];
