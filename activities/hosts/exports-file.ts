import { foreignLines } from './marked-block';

export interface ExportClient {
  /** As the runbook has it: name or address. */
  address: string;
  access: 'rw' | 'ro';
}

/**
 * sync: a write is answered once it is on disk, or a power cut of the server loses what Elasticsearch was told is safe.
 * root_squash: root on a client is nobody here. no_subtree_check: renames within the share keep file handles valid.
 */
const options = ['sync', 'no_subtree_check', 'root_squash'];

/**
 * A path in /etc/exports: everything that the format could take for something else (blanks, quotes, #, brackets,
 * backslashes, what is not ASCII) is written as the octal code of its byte.
 */
export function exportPathField(path: string): string {
  const plain = /[A-Za-z0-9/._+,:@%~^-]/;
  return Array.from(Buffer.from(path, 'utf8'), (byte) => {
    const character = String.fromCharCode(byte);
    return byte < 128 && plain.test(character) ? character : `\\${byte.toString(8).padStart(3, '0')}`;
  }).join('');
}

/** The line for a share: exactly these clients, each with its own rights. IPv6 addresses stand without brackets here. */
export function exportLine(path: string, clients: readonly ExportClient[]): string {
  const each = clients.map((client) => `${client.address}(${[client.access, ...options].join(',')})`);
  return [exportPathField(path), ...each].join(' ');
}

/** A field of exports or etab: quotes only group, octal codes are bytes. */
function decodeField(field: string): string {
  return decodeOctal(field.replaceAll('"', ''));
}

/** A field of fstab or mountinfo: octal codes are bytes, and everything else stands for itself. */
export function decodeOctal(field: string): string {
  const source = Buffer.from(field, 'utf8').toString('latin1');
  const bytes = source.replace(/\\([0-3][0-7]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

export interface ExportEntry {
  path: string;
  /** "10.0.0.12(rw,sync)", as written. */
  clients: string[];
}

/** Entries of exports-format text: comments left out, continued lines joined. */
export function exportEntries(text: string): ExportEntry[] {
  const entries: ExportEntry[] = [];
  for (const raw of text.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    const fields = fieldsOf(raw);
    const [path, ...clients] = fields;
    if (path !== undefined && !path.startsWith('#')) entries.push({ path: withoutSlash(decodeField(path)), clients });
  }
  return entries;
}

/** Splits at blanks outside of quotes; a # ends the line. */
function fieldsOf(line: string): string[] {
  const fields: string[] = [];
  for (const [field] of line.matchAll(/(?:"[^"]*"|[^ \t\v\f\r"])+/g)) {
    if (field.startsWith('#')) break;
    fields.push(field);
  }
  return fields;
}

export function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}

/** Somebody else's entry for the same directory: two entries for one path make exports that nobody wrote. */
export function foreignExport(text: string, label: string, path: string): ExportEntry | undefined {
  return exportEntries(foreignLines(text, label).join('\n')).find((entry) => entry.path === withoutSlash(path));
}

/** A last line that goes on ("\" at its end) would swallow our block. */
export function endsContinued(text: string, label: string): boolean {
  return /\\\r?\n?$/.test(foreignLines(text, label).join('\n'));
}

export interface ActiveClient {
  name: string;
  access: 'rw' | 'ro';
}

/** What is really exported of a path, from /var/lib/nfs/etab: `exportfs -ra` writes it, and mountd answers by it. */
export function activeClients(etab: string, path: string): ActiveClient[] {
  const clients: ActiveClient[] = [];
  for (const entry of exportEntries(etab)) {
    if (entry.path !== withoutSlash(path)) continue;
    for (const client of entry.clients) {
      const match = /^([^(]*)\((.*)\)$/.exec(client);
      if (!match) continue;
      clients.push({ name: match[1]!, access: match[2]!.split(',').includes('rw') ? 'rw' : 'ro' });
    }
  }
  return clients;
}
