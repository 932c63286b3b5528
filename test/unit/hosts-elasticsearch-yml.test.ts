import fc from 'fast-check';
import { addPathRepo, readPathRepo, removePathRepo, UnreadableYml } from '../../activities/hosts/elasticsearch-yml';

const edits: [string, string, string][] = [
  ['an empty file', '', 'path.repo: ["/n"]\n'],
  ['only comments', '# hello\n', '# hello\npath.repo: ["/n"]\n'],
  ['no setting yet', 'cluster.name: a # c\n\n# end\n', 'cluster.name: a # c\n\n# end\npath.repo: ["/n"]\n'],
  ['no line end at the end', 'a: 1', 'a: 1\npath.repo: ["/n"]'],
  ['CRLF', 'a: 1\r\nb: 2\r\n', 'a: 1\r\nb: 2\r\npath.repo: ["/n"]\r\n'],
  ['a byte order mark', '\uFEFFa: 1\n', '\uFEFFa: 1\npath.repo: ["/n"]\n'],
  ['one path', 'path.repo: /x # mine\nb: 2\n', 'path.repo: ["/x", "/n"] # mine\nb: 2\n'],
  ['one quoted path', "path.repo: '/x y'\n", 'path.repo: ["/x y", "/n"]\n'],
  ['paths with commas', 'path.repo: /x, /y\n', 'path.repo: ["/x", "/y", "/n"]\n'],
  ['an empty value', 'path.repo:\nb: 2\n', 'path.repo: ["/n"]\nb: 2\n'],
  ['an empty value with a comment', 'path.repo: # none\nb: 2\n', 'path.repo: ["/n"] # none\nb: 2\n'],
  ['a flow list', 'path.repo: ["/x", /y]\n', 'path.repo: ["/x", /y, "/n"]\n'],
  ['an empty flow list', 'path.repo: []\n', 'path.repo: ["/n"]\n'],
  [
    'a flow list over lines',
    'path.repo: [\n  "/x", # one\n  "/y"  # two\n]\n',
    'path.repo: [\n  "/x", # one\n  "/y", "/n"  # two\n]\n',
  ],
  ['a trailing comma', 'path.repo: ["/x", ]\n', 'path.repo: ["/x", "/n", ]\n'],
  [
    'a block list',
    'path.repo:\n  - /x # one\n  - "/y"\nb: 2\n',
    'path.repo:\n  - /x # one\n  - "/y"\n  - "/n"\nb: 2\n',
  ],
  ['a block list without indent', 'path.repo:\n- /x\nb: 2\n', 'path.repo:\n- /x\n- "/n"\nb: 2\n'],
  ['a block list at the end', 'path.repo:\n  - /x', 'path.repo:\n  - /x\n  - "/n"'],
  ['nested', 'path:\n  data: /d\n  repo: /x\nb: 2\n', 'path:\n  data: /d\n  repo: ["/x", "/n"]\nb: 2\n'],
  ['nested list', 'path:\n  repo:\n    - /x\n  logs: /l\n', 'path:\n  repo:\n    - /x\n    - "/n"\n  logs: /l\n'],
  ['nested without it', 'path:\n  data: /d\n', 'path:\n  data: /d\npath.repo: ["/n"]\n'],
  ['an end of document', 'a: 1\n...\n', 'a: 1\npath.repo: ["/n"]\n...\n'],
  ['a beginning of document', '---\na: 1\n', '---\na: 1\npath.repo: ["/n"]\n'],
  ['indented settings', '  a: 1\n  b: 2\n', '  a: 1\n  b: 2\n  path.repo: ["/n"]\n'],
  ['there already', 'path.repo: ["/n"]\n', 'path.repo: ["/n"]\n'],
  ['there already in a string', 'path.repo: "/x,/n"\n', 'path.repo: "/x,/n"\n'],
];

describe('path.repo in elasticsearch.yml', () => {
  it.each(edits)('%s', (_, before, after) => {
    expect(addPathRepo(before, ['/n'])).toBe(after);
    expect(addPathRepo(after, ['/n'])).toBe(after);
    expect(readPathRepo(after)).toContain('/n');
  });

  it.each([
    ['a broken list', 'a: [1\nb: 2\n', /line 2/],
    ['a key twice', 'a: 1\na: 2\n', /line 2/],
    ['the setting twice', 'path.repo: /a\npath:\n  repo: /b\n', /twice/],
    ['a list of settings in braces', '{a: 1}\n', /\{ \}/],
    ['no settings', 'just words\n', /no list of settings/],
    ['two documents', 'a: 1\n---\nb: 2\n', /more than one/],
    ['numbered form', 'path.repo.0: /x\n', /numbered/],
    ['an alias', 'a: &x /y\npath.repo: *x\n', /anchor or alias/],
    ['a map', 'path.repo:\n  a: 1\n', /neither a path nor a list/],
  ])('is not edited in %s', (_, text, words) => {
    expect(() => addPathRepo(text, ['/n'])).toThrow(UnreadableYml);
    expect(() => addPathRepo(text, ['/n'])).toThrow(words);
  });

  it.each([
    ['a: 1\npath.repo: ["/n"]\nb: 2\n', 'a: 1\nb: 2\n'],
    ['a: 1\npath.repo: ["/n"]', 'a: 1'],
    ['path.repo: ["/x", "/n"] # c\n', 'path.repo: ["/x"] # c\n'],
    ['path.repo:\n  - /x\n  - "/n"\nb: 2\n', 'path.repo: ["/x"]\nb: 2\n'],
    ['path:\n  data: /d\n  repo: ["/n"]\n', 'path:\n  data: /d\n'],
    ['a: 1\n', 'a: 1\n'],
  ])('is taken out of %j', (before, after) => expect(removePathRepo(before, ['/n'])).toBe(after));

  it('keeps every other line, for any mixture of settings and forms', () => {
    const setting = fc.constantFrom(
      'cluster.name: a',
      'node.name: "b" # c',
      '# comment',
      '',
      'x.y: [1, 2]',
      'path.data: /d',
    );
    const repo = fc.constantFrom(
      'path.repo: /x',
      'path.repo: ["/x", "/y"]',
      'path.repo:\n  - /x',
      'path.repo:',
      '# none',
    );
    const unique = (lines: string[]) => lines.filter((line, at) => !line.includes(':') || lines.indexOf(line) === at);
    fc.assert(
      fc.property(
        fc.array(setting, { maxLength: 6 }),
        repo,
        fc.array(setting, { maxLength: 6 }),
        fc.boolean(),
        fc.boolean(),
        (a, r, b, crlf, ended) => {
          const lines = unique([...a, '@', ...b]).map((line) => (line === '@' ? r : line));
          const text = (lines.join('\n') + (ended ? '\n' : '')).replaceAll('\n', crlf ? '\r\n' : '\n');
          const edited = addPathRepo(text, ['/new dir', '/x']);
          expect(addPathRepo(edited, ['/new dir', '/x'])).toBe(edited);
          expect(readPathRepo(edited)).toEqual(expect.arrayContaining(['/new dir', '/x', ...readPathRepo(text)]));
          const others = (content: string) =>
            content.split(/\r?\n/).filter((line) => !/path\.repo|^\s+- |^$/.test(line));
          expect(others(edited)).toEqual(others(text));
          if (text.includes('\n') && crlf) expect(edited.replaceAll('\r\n', '')).not.toContain('\n');
        },
      ),
    );
  });

  it('writes any path so that it is read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
        const path = `/${name.replace(/[\p{Cc}]/gu, '_')}`;
        expect(readPathRepo(addPathRepo('a: 1\n', [path]))).toEqual([path]);
      }),
    );
  });
});
