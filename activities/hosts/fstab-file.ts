import { decodeOctal, withoutSlash } from './exports-file';

/**
 * A field of fstab: blanks and backslashes as octal codes, and nothing else. mount would decode any code, but systemd
 * reads fstab at boot by glibc's getmntent, which knows only these: it would make a directory named `it\047s`.
 */
function fstabField(text: string): string {
  return text.replace(/[ \t\n\\]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** An IPv6 address in front of a path needs brackets, or its colons would be taken for the one before the path. */
export function nfsSource(serverAddress: string, exportPath: string): string {
  const server = serverAddress.includes(':') ? `[${serverAddress}]` : serverAddress;
  return `${server}:${exportPath}`;
}

export interface MountLine {
  source: string;
  target: string;
  type: 'nfs' | 'none';
  options: string[];
}

export function mountLineOf(line: MountLine): string {
  return [fstabField(line.source), fstabField(line.target), line.type, line.options.join(','), '0', '0'].join(' ');
}

/** Divided at blanks of ASCII only: any other may be part of a path. */
export function fstabFields(line: string): string[] {
  return line.split(/[ \t\r]+/).filter((field) => field !== '');
}

/** Lines of fstab for a mount point, by whoever. */
export function entriesFor(lines: readonly string[], target: string): string[] {
  return lines.filter((line) => {
    const [first, second] = fstabFields(line);
    if (first === undefined || second === undefined || first.startsWith('#')) return false;
    return withoutSlash(decodeOctal(second)) === withoutSlash(target);
  });
}
