import fc from 'fast-check';
import {
  activeClients,
  decodeOctal,
  endsContinued,
  exportEntries,
  exportLine,
  exportPathField,
  foreignExport,
} from '../../activities/hosts/exports-file';
import { entriesFor, mountLineOf, nfsSource } from '../../activities/hosts/fstab-file';
import { withBlock } from '../../activities/hosts/marked-block';

const path = fc
  .array(
    fc.oneof(fc.string({ unit: 'grapheme', minLength: 1 }), fc.constantFrom('a b', '#', '"', "it's", '(', '$(x)', 'ü')),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  // as the schema of the runbook takes them; and no \ before digits, which nfs-utils decodes twice
  .map((parts) => `/${parts.map((part) => part.replace(/[\p{Cc}/\\]/gu, '_')).join('/')}`);

describe('exports', () => {
  it('names exactly the clients, each with its rights', () => {
    const clients = [
      { address: '10.0.0.12', access: 'rw' },
      { address: '2001:db8::21', access: 'ro' },
    ] as const;
    expect(exportLine('/srv/es', clients)).toBe(
      '/srv/es 10.0.0.12(rw,sync,no_subtree_check,root_squash) 2001:db8::21(ro,sync,no_subtree_check,root_squash)',
    );
  });

  it('writes odd paths so that they are read back as they were', () => {
    expect(exportPathField('/srv/a b#"ü')).toBe('/srv/a\\040b\\043\\042\\303\\274');
    fc.assert(
      fc.property(path, (odd) => {
        expect(exportPathField(odd)).toMatch(/^[!-~]+$/);
        expect(decodeOctal(exportPathField(odd))).toBe(odd);
        const [entry] = exportEntries(exportLine(odd, [{ address: '10.0.0.1', access: 'rw' }]));
        expect(entry).toMatchObject({ path: odd, clients: [expect.stringContaining('10.0.0.1(rw') as string] });
      }),
    );
  });

  it('finds a foreign line for the directory, quoted, continued, or with a slash at its end', () => {
    for (const foreign of ['"/srv/es share" h(rw)', '/srv/es\\040share \\\n  h(rw)', '/srv/es\\040share/ h(rw)']) {
      expect(foreignExport(`# c\n${foreign}\n`, 'r s', '/srv/es share')?.clients).toEqual(['h(rw)']);
    }
    expect(foreignExport('# /srv/es h(rw)\n/srv/es2 h(rw)\n', 'r s', '/srv/es')).toBeUndefined();
    expect(foreignExport(withBlock('', 'r s', ['/srv/es h(rw)']), 'r s', '/srv/es')).toBeUndefined();
    expect(foreignExport(withBlock('', 'other s', ['/srv/es h(rw)']), 'r s', '/srv/es')).toBeDefined();
  });

  it('sees that a last line goes on', () => {
    expect(endsContinued('/a h(rw) \\\n', 'r s')).toBe(true);
    expect(endsContinued('/a h(rw)\n', 'r s')).toBe(false);
  });

  it('reads what is really exported', () => {
    const etab =
      '/srv/es\\040share\t10.0.0.3(rw,sync,wdelay,secure,root_squash)\n/srv/es\\040share\th4(ro,sync)\n/other\t*(rw)\n';
    expect(activeClients(etab, '/srv/es share')).toEqual([
      { name: '10.0.0.3', access: 'rw' },
      { name: 'h4', access: 'ro' },
    ]);
  });
});

describe('fstab', () => {
  it('puts an IPv6 server into brackets and escapes blanks', () => {
    expect(nfsSource('2001:db8::1', '/srv/a b')).toBe('[2001:db8::1]:/srv/a b');
    const line = {
      source: nfsSource('10.0.0.2', '/srv/a b'),
      target: '/mnt/a b',
      type: 'nfs',
      options: ['rw', 'hard'],
    } as const;
    expect(mountLineOf({ ...line, options: [...line.options] })).toBe(
      '10.0.0.2:/srv/a\\040b /mnt/a\\040b nfs rw,hard 0 0',
    );
  });

  it('always has six fields, whatever the paths', () => {
    fc.assert(
      fc.property(path, path, (source, target) => {
        const fields = mountLineOf({ source: `h:${source}`, target, type: 'nfs', options: ['rw'] }).split(' ');
        expect(fields).toHaveLength(6);
        expect(decodeOctal(fields[1]!)).toBe(target);
        expect(entriesFor([fields.join(' ')], target)).toHaveLength(1);
      }),
    );
  });

  it('escapes only what getmntent takes apart again, by which systemd reads it at boot', () => {
    const line = { source: 'h:/it\'s $(a) "b"#ü', target: '/m\\n', type: 'nfs' as const, options: ['rw'] };
    expect(mountLineOf(line)).toBe('h:/it\'s\\040$(a)\\040"b"#ü /m\\134n nfs rw 0 0');
  });

  it('finds lines for a mount point, comments left out', () => {
    const lines = ['# h:/x /mnt nfs rw 0 0', 'h:/x\t/mnt/\tnfs rw 0 0', 'h:/y /mnt2 nfs rw 0 0'];
    expect(entriesFor(lines, '/mnt')).toEqual([lines[1]]);
  });
});
