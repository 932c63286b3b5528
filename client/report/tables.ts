import type { StepStatus } from '../../contracts/status';
import { formatSeconds } from '../format';
import { html, type Content, type Markup } from './markup';

/** What the sections of a report are made of. */

export function tone(state: string): string {
  if (['completed', 'done', 'passed', 'approved'].includes(state)) return 'good';
  if (['failed', 'stuck', 'rejected'].includes(state)) return 'bad';
  return ['running', 'pending', 'closed', 'not applicable'].includes(state) ? 'soft' : 'care';
}

/** A section with its heading; left out when there is nothing in it. */
export function section(title: string, body: Content): Markup {
  return html`<section>
    <h2>${title}</h2>
    ${body}
  </section>`;
}

export function grid(
  heads: readonly string[],
  rows: readonly (readonly Content[])[],
  numbers: readonly number[] = [],
): Markup {
  const cell = (index: number) => (numbers.includes(index) ? 'number' : '');
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          ${heads.map((head, index) => html`<th class="${cell(index)}">${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${row.map((value, index) => html`<td class="${cell(index)}">${value}</td>`)}
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`;
}

export function lasted(step: Pick<StepStatus, 'startedAt' | 'endedAt'> | undefined): string {
  if (step?.startedAt === undefined || step.endedAt === undefined) return '';
  return formatSeconds((Date.parse(step.endedAt) - Date.parse(step.startedAt)) / 1000);
}
