import { createHmac } from 'node:crypto';
import { fingerprint, hostKeyAlgorithms, keyType, knownKeys, parseHostKey } from '../../activities/hosts/known-hosts';

const ed25519 = 'AAAAC3NzaC1lZDI1NTE5AAAAIEVeU5hHO0nu9f4GW1zR8u6w+fAEBd7nVwvw0Q4W0gkR';
const other = 'AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
const hashed = (name: string) => {
  const salt = Buffer.from('0123456789abcdefghij');
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
};
const accepted = (content: string, host: string, port = 22) =>
  knownKeys(content, host, port).accepted.map((key) => key.blob.toString('base64'));

describe('known_hosts', () => {
  it.each<[string, string, string, number, number]>([
    ['a plain name', `h1 ssh-ed25519 ${ed25519} comment`, 'h1', 22, 1],
    ['one of several names', `h0,h1,10.0.0.1 ssh-ed25519 ${ed25519}`, '10.0.0.1', 22, 1],
    ['another case', `H1.Example ssh-ed25519 ${ed25519}`, 'h1.example', 22, 1],
    ['a port', `[h1]:2222 ssh-ed25519 ${ed25519}`, 'h1', 2222, 1],
    ['not without its port', `h1 ssh-ed25519 ${ed25519}`, 'h1', 2222, 0],
    ['a hashed name', `${hashed('h1')} ssh-ed25519 ${ed25519}`, 'h1', 22, 1],
    ['a hashed name with a port', `${hashed('[h1]:2222')} ssh-ed25519 ${ed25519}`, 'h1', 2222, 1],
    ['not another hashed name', `${hashed('h2')} ssh-ed25519 ${ed25519}`, 'h1', 22, 0],
    ['a pattern', `*.example,!bad.example ssh-ed25519 ${ed25519}`, 'h1.example', 22, 1],
    ['not what a pattern leaves out', `*.example,!bad.example ssh-ed25519 ${ed25519}`, 'bad.example', 22, 0],
    ['dots are no wildcards', `10.0.0.1 ssh-ed25519 ${ed25519}`, '10x0x0x1', 22, 0],
    ['not a certificate authority', `@cert-authority * ssh-ed25519 ${ed25519}`, 'h1', 22, 0],
    ['not a comment', `# h1 ssh-ed25519 ${ed25519}`, 'h1', 22, 0],
    ['not a damaged key', `h1 ssh-ed25519 AAAA`, 'h1', 22, 0],
    ['not a key under a wrong type', `h1 ssh-rsa ${ed25519}`, 'h1', 22, 0],
    ['two keys', `h1 ssh-ed25519 ${ed25519}\r\nh1 ssh-ed25519 ${other}`, 'h1', 22, 2],
  ])('%s', (_, content, host, port, count) => expect(accepted(content, host, port)).toHaveLength(count));

  it('knows revoked keys', () => {
    const keys = knownKeys(`@revoked * ssh-ed25519 ${ed25519}\nh1 ssh-ed25519 ${ed25519}`, 'h1', 22);
    expect(keys.revoked).toHaveLength(1);
  });

  it('prints the fingerprint that ssh-keygen prints', () => {
    const key = parseHostKey(`ssh-ed25519 ${ed25519}`)!;
    expect(keyType(key.blob)).toBe('ssh-ed25519');
    expect(fingerprint(key.blob)).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
  });

  it('asks only for the kinds of key that are known, RSA with SHA-2 first', () => {
    const key = (type: string) => ({ type, blob: Buffer.alloc(0) });
    expect(hostKeyAlgorithms([key('ecdsa-sha2-nistp256')])).toEqual(['ecdsa-sha2-nistp256']);
    expect(hostKeyAlgorithms([key('ssh-rsa'), key('ssh-ed25519')])).toEqual([
      'ssh-ed25519',
      'rsa-sha2-512',
      'rsa-sha2-256',
      'ssh-rsa',
    ]);
  });
});
