import type { MetadataNote, MetadataRefusal } from '../../contracts/metadata';
import type { Json } from './adapt-field';
import { adaptDateFormat } from './date-formats';
import type { AdaptedBody, Versions } from './kinds';
import { isTypeless } from './lifetimes';

/** Formats of the date processor that are names, not patterns. */
const dateNames = new Set(['ISO8601', 'UNIX', 'UNIX_MS', 'TAI64N']);

/** Processors as they are, but for Joda-Time's letters in date formats. What the target does not have it says itself. */
export function adaptPipeline(source: Json, { from, target }: Versions): AdaptedBody {
  const notes: MetadataNote[] = [];
  const refusals: MetadataRefusal[] = [];
  if (isTypeless(from) || !isTypeless(target)) return { body: source, notes, refusals };

  const adaptFormat = (format: unknown, path: string): string[] => {
    const text = String(format);
    if (dateNames.has(text)) return [text];
    const adapted = adaptDateFormat(text, { isJoda: true });
    if ('refused' in adapted) {
      refusals.push({
        path,
        why: adapted.refused,
        remedy: 'write the pipeline on the target by hand, and leave this one out by metadata.exclude',
      });
      return [text];
    }
    if (adapted.format !== text)
      notes.push({ path, result: 'changed', how: adapted.format, why: adapted.notes.join('; ') });
    return adapted.format.split('||');
  };
  const adaptAll = (processors: unknown, path: string): unknown =>
    !Array.isArray(processors) ? processors : (processors as Json[]).map((one, at) => adaptOne(one, `${path}.${at}`));
  const adaptOne = (processor: Json, path: string): Json =>
    Object.fromEntries(
      Object.entries(processor).map(([type, value]) => {
        const options = { ...(value as Json) };
        const list = type === 'date' ? 'formats' : type === 'date_index_name' ? 'date_formats' : undefined;
        if (list !== undefined && Array.isArray(options[list]))
          options[list] = (options[list] as unknown[]).flatMap((one) => adaptFormat(one, `${path}.${type}.${list}`));
        if (type === 'foreach' && options['processor'] !== undefined)
          options['processor'] = adaptOne(options['processor'] as Json, `${path}.foreach.processor`);
        if ('on_failure' in options)
          options['on_failure'] = adaptAll(options['on_failure'], `${path}.${type}.on_failure`);
        return [type, options];
      }),
    );
  const body: Json = { ...source, processors: adaptAll(source['processors'], 'processors') };
  if ('on_failure' in source) body['on_failure'] = adaptAll(source['on_failure'], 'on_failure');
  return { body, notes, refusals };
}
