import { parseRunbook, readRunbook, RunbookFileError } from '../../client/runbook-file';
import type { RunbookProblem } from '../../client/runbook-problem';
import { testIo } from './client-fixtures';

const good = `kind: Migration
name: logs
source:
  urls: [http://old:9200]
target:
  urls: [http://new:9200]
snapshot:
  repository:
    existing:
      location: /mnt/snapshots
`;

function problemsOf(text: string): readonly RunbookProblem[] {
  try {
    parseRunbook(text, 'logs.yaml');
  } catch (error) {
    if (error instanceof RunbookFileError) return error.problems;
    throw error;
  }
  throw new Error('the runbook was taken for a good one');
}

/** "line:column path: found …; expected …", as it is printed behind the file's name. */
function wordsOf(text: string): string[] {
  return problemsOf(text).map(
    ({ line, column, path, found, expected }) => `${line}:${column} ${path}: found ${found}; expected ${expected}`,
  );
}

describe('a runbook file', () => {
  test('that is right gets its defaults', () => {
    const runbook = parseRunbook(good, 'logs.yaml');
    expect(runbook.name).toBe('logs');
    expect(runbook.batches).toEqual({ maxSize: '50gb', maxIndices: 100, inFlight: 3 });
    expect(runbook.gates).toEqual(['cutover', 'finish']);
  });

  test('with a wrong field name says which one was meant, at the name', () => {
    expect(wordsOf(good.replace('target:', 'tagret:'))).toEqual([
      '1:1 target: found nothing; expected the field "target": a mapping with urls, tls, auth (The cluster that documents go to.)',
      '5:1 tagret: found unknown field "tagret"; expected a known field; did you mean "target"?',
    ]);
  });

  test('with a field that resembles none lists the known ones', () => {
    expect(wordsOf(`${good}xyzzy: 1\n`)).toEqual([
      '11:1 xyzzy: found unknown field "xyzzy"; expected one of kind, name, source, target, ssh, hosts, select, method, snapshot, copy, reindex, catchUp, metadata, batches, freeze, gates, cutover, cleanup',
    ]);
  });

  test('with a nested unknown field points into the nested mapping', () => {
    const [problem] = problemsOf(`${good}batches:\n  maxsize: 10gb\n`);
    expect(problem).toEqual({
      line: 12,
      column: 3,
      path: 'batches.maxsize',
      found: 'unknown field "maxsize"',
      expected: 'a known field; did you mean "maxSize"?',
    });
  });

  test('with wrong types says what stands there and what should', () => {
    const text = `${good}batches:\n  maxSize: 10 gigs\n  maxIndices: many\n  inFlight: 99\ngates: [cutover, finnish]\nselect: all\n`;
    expect(wordsOf(text)).toEqual([
      '12:12 batches.maxSize: found the text "10 gigs"; expected a byte size as Elasticsearch writes it, such as 500mb or 1.5tb',
      '13:15 batches.maxIndices: found the text "many"; expected a whole number (Most indices in a batch.)',
      '14:13 batches.inFlight: found the number 99; expected at most 10 (Most batches under way at once.)',
      '15:18 gates[1]: found the text "finnish"; expected one of move, cutover, finish',
      '16:9 select: found a text of 3 characters (not shown: a secret may stand here); expected a mapping with include, exclude, hidden, closed (Which indices move.)',
    ]);
  });

  test('with a number for a name says to quote it', () => {
    expect(wordsOf(good.replace('name: logs', 'name: 2024'))).toEqual([
      '2:7 name: found the number 2024; expected a text; put it in quotes (Name of the run: one run of this name exists at a time.)',
    ]);
  });

  test('tells malformed fields and contradictions at once, also when both are in it', () => {
    const text = `${good.replace('existing:\n      location: /mnt/snapshots', 'sharedFilesystem:\n      server: h9\n      exportPath: relative\n      mountPath: /mnt/share')}hosts:
  - name: h1
    address: 10.0.0.1
    role: sauce
`;
    expect(wordsOf(text)).toEqual([
      '10:15 snapshot.repository.sharedFilesystem.server: found the text "h9"; expected the name of a host below hosts',
      '11:19 snapshot.repository.sharedFilesystem.exportPath: found the text "relative"; expected an absolute path without a slash at its end and without control characters',
      '13:1 hosts: found a list of 1; expected a host with the role source, to mount the share',
      '13:1 hosts: found a list of 1; expected a host with the role target, to mount the share',
      '14:5 hosts[0]: found a mapping; expected an ssh user, here or under ssh',
      '14:5 hosts[0]: found a mapping; expected an ssh privateKey, here or under ssh',
      '14:5 hosts[0]: found a mapping; expected an ssh hostKey or knownHosts, here or under ssh: host keys are always verified',
      '16:11 hosts[0].role: found the text "sauce"; expected one of source, target, storage, jump (source or target: a node of that cluster; storage: NFS server without Elasticsearch; jump: only passed through.)',
    ]);
  });

  test.each([
    ['password: hunter2', 'auth:\n    basic: { username: elastic, password: hunter2 }'],
    ['auth: hunter2', 'auth: hunter2'],
    ['an address with a password', 'tls: { ca: relative }\n  urls: [http://elastic:hunter2@old:9200]'],
    ['a misspelt field', 'auth:\n    basic: { username: elastic, pasword: hunter2 }'],
  ])('never prints a secret: %s', (_, inSource) => {
    const text = good.replace(
      'urls: [http://old:9200]',
      inSource.includes('urls') ? inSource : `urls: [http://old:9200]\n  ${inSource}`,
    );
    const words = wordsOf(text).join('\n');
    expect(words).not.toContain('hunter2');
    expect(words).not.toBe('');
  });

  test('never prints a secret that stands in a line with broken YAML', () => {
    const words = wordsOf(`${good}ssh:\n  passphrase: "hunter2\n`).join('\n');
    expect(words).not.toContain('hunter2');
    expect(words).toContain('expected YAML');
  });

  test.each([
    [
      'a field twice',
      `${good}name: other\n`,
      ['11:1 : found a field that this mapping already has; expected each field once'],
    ],
    ['a tab', 'kind: Migration\nsource:\n\turls: []\n', ['3:1 : found a tab in the indentation; expected spaces']],
    [
      'a second document',
      `${good}---\nkind: Migration\n`,
      ['11:1 : found a second document after ---; expected one runbook in a file'],
    ],
  ])('that is no good YAML: %s', (_, text, words) => {
    expect(wordsOf(text)).toEqual(words);
  });

  test.each([
    ['nothing', '', 'an empty file'],
    ['a list', '- 1\n', 'a list of 1'],
    ['a word', 'hello\n', 'a text of 5 characters (not shown: a secret may stand here)'],
  ])('that holds %s', (_, text, found) => {
    const [problem, ...more] = problemsOf(text);
    expect(problem).toMatchObject({ line: 1, column: 1, path: '', found });
    expect(problem?.expected).toContain('a mapping with kind, name, source');
    expect(more).toEqual([]);
  });

  test('that uses anchors as a bomb is refused', () => {
    const bomb = Array.from(
      { length: 9 },
      (_, i) =>
        `a${i}: &a${i} [${
          i === 0
            ? 'x'
            : Array(9)
                .fill(`*a${i - 1}`)
                .join(',')
        }]`,
    ).join('\n');
    expect(wordsOf(bomb).join('\n')).toContain('expected anchors that resolve');
  });

  test('is read from standard input as -', async () => {
    const { runbook, file } = await readRunbook('-', testIo({ input: good }).stdin);
    expect([runbook.name, file]).toEqual(['logs', '<stdin>']);
  });

  test('that is not there is named', async () => {
    await expect(readRunbook('/nonexistent/x.yaml', testIo().stdin)).rejects.toMatchObject({
      code: 2,
      message: '/nonexistent/x.yaml: there is no such file',
    });
  });
});
