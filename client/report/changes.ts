import { diffLines } from 'diff';
import type { Change } from '../../contracts/status';
import { formatTime, plural } from '../format';
import { html, type Content, type Markup } from './markup';

/** Lines of one diff; a file that is longer is no configuration file. */
const mostLines = 400;

/** What was done on which host and cluster, with what was there before. */
export function changesSection(changes: readonly Change[]): Content {
  if (changes.length === 0) return '';
  const places = new Map<string, Change[]>();
  for (const change of changes) places.set(change.where, [...(places.get(change.where) ?? []), change]);
  const groups = [...places].map(
    ([where, made]) =>
      html`<h3>${where} <span class="soft">${plural(made.length, 'change')}</span></h3>
        ${made.map(changeDetails)}`,
  );
  return html`<section>
    <h2>What was changed</h2>
    ${groups}
  </section>`;
}

function changeDetails(change: Change): Markup {
  const undo = change.undo === undefined ? '' : html`<p class="soft">Undone by: ${change.undo.summary}</p>`;
  return html`<details>
    <summary>${change.what} <span class="soft">${formatTime(change.at)}, ${change.step}</span></summary>
    ${beforeAndAfter(change.before, change.after)}${undo}
  </details> `;
}

/** Both as one text with marks, as a reviewer reads a patch. */
export function beforeAndAfter(before: string, after: string): Markup {
  const lines = diffLines(ended(before), ended(after)).flatMap((part) => {
    const mark = part.added ? '+' : part.removed ? '-' : ' ';
    const name = part.added ? 'add' : part.removed ? 'del' : 'same';
    return part.value
      .replace(/\n$/, '')
      .split('\n')
      .map((line) => html`<span class="${name}">${mark} ${line}</span>`);
  });
  const more = lines.length > mostLines ? html`<span class="same">… ${lines.length - mostLines} more lines</span>` : '';
  return html`<pre class="diff">${lines.slice(0, mostLines)}${more}</pre>`;
}

function ended(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
