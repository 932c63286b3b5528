import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { failureTypes } from '../../contracts/failures';

const root = path.join(__dirname, '../..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

/** Headings of one level, without those in code blocks. */
function headings(markdown: string, level: number): string[] {
  const mark = `${'#'.repeat(level)} `;
  return withoutCode(markdown)
    .split('\n')
    .filter((line) => line.startsWith(mark))
    .map((line) => line.slice(mark.length).trim());
}

function withoutCode(markdown: string): string {
  return markdown.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, (code) => ' '.repeat(code.length));
}

function filesBelow(folder: string, end: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(end))
    .map((file) => path.join(folder, file));
}

describe('docs/failures.md', () => {
  const text = read('docs/failures.md');

  test('has a section for every failure type, in their order, and none besides', () => {
    expect(headings(text, 3)).toEqual([...failureTypes]);
  });

  test('says in each section what caused it, what the run does, what holds, what to do, and who throws it', () => {
    const parts = ['**Cause.**', '**The run**', '**Holds.**', '**Remedy.**', '**Thrown by**'];
    const missing = failureTypes.flatMap((type) => {
      const section = text.split(`\n### ${type}\n`)[1]?.split(/\n##/)[0] ?? '';
      return parts.filter((part) => !section.includes(part)).map((part) => `${type}: ${part}`);
    });
    expect(missing).toEqual([]);
  });

  test('names only files that are there as throwing', () => {
    const named = text
      .split('\n**Thrown by**')
      .slice(1)
      .flatMap((section) =>
        [...(section.split('\n\n')[0] ?? '').matchAll(/`([\w/-]+\.ts)`/g)].map((match) => match[1] ?? ''),
      );
    const known = [...filesBelow('activities', '.ts'), ...filesBelow('workflows', '.ts')];
    expect(named.filter((name) => !known.some((file) => file === name || file.endsWith(`/${name}`)))).toEqual([]);
    expect(named.length).toBeGreaterThanOrEqual(failureTypes.length);
  });
});

describe('docs/checks.md', () => {
  /** How checks are named where they are made: `id: 'x'` of a subject, or the first argument of check() and failedCheck(). */
  const naming = /(?:\bid: |\b(?:check|failedCheck)\(\s*)'([a-z]+(?:[.-][a-z-]+)*)'/g;
  const ids = [
    ...['planning', 'hosts', 'reindex'].flatMap((folder) => filesBelow(`activities/${folder}`, '.ts')),
    'workflows/preflight.ts',
  ]
    .flatMap((file) => [...read(file).matchAll(naming)].map((match) => match[1] ?? ''))
    // the three that are made by one function, which gets their id as an argument
    .concat(
      [...read('activities/planning/checks/index-checks.ts').matchAll(/leftOutCheck\(\s*'([a-z.]+)'/g)].map(
        (match) => match[1] ?? '',
      ),
    );
  const known = [...new Set(ids)].sort();

  test('the ids are found in the code', () => {
    expect(known.length).toBeGreaterThan(50);
    expect(known).toEqual(
      expect.arrayContaining(['host.ssh', 'host.clock', 'cluster.versions', 'index.hidden', 'slm']),
    );
  });

  test('has a section for every check, and none besides', () => {
    expect([...headings(read('docs/checks.md'), 3)].sort()).toEqual(known);
  });

  test('knows every check that is named when a cluster cannot be read', () => {
    const source = read('activities/planning/checks/dependent-checks.ts');
    const named = [...source.matchAll(/'([a-z]+(?:[.-][a-z-]+)*)',?/g)].map((match) => match[1] ?? '');
    const dependent = named.filter((id) => /^[a-z]+\.[a-z-]+$/.test(id) || id === 'slm');
    expect(dependent.length).toBeGreaterThan(10);
    expect(dependent.filter((id) => !known.includes(id))).toEqual([]);
  });
});

describe('links', () => {
  const documents = [...readdirSync(root).filter((file) => file.endsWith('.md')), ...filesBelow('docs', '.md')];
  /** As GitHub makes an anchor of a heading. */
  const anchor = (heading: string) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
  const anchorsOf = (file: string) => {
    const text = read(file);
    const made = [1, 2, 3, 4].flatMap((level) => headings(text, level)).map(anchor);
    return [...made, ...[...text.matchAll(/<a id="([^"]+)">/g)].map((match) => match[1] ?? '')];
  };

  test.each(documents)('of %s lead to files and headings that are there', (file) => {
    const links = [...withoutCode(read(file)).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
    const broken = links
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [target = '', heading] = link.split('#');
        const to = target === '' ? file : path.join(path.dirname(file), target);
        if (!existsSync(path.join(root, to))) return true;
        return heading !== undefined && to.endsWith('.md') && !anchorsOf(to).includes(heading);
      });
    expect(broken).toEqual([]);
  });
});
