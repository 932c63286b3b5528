/**
 * Date formats of indices made before 7.0 are Joda-Time's, later ones java.time's. Where both read the same strings by
 * other letters, the letters are changed; where they would read a string as another time, the format is refused.
 */
export type DateFormat = { format: string; notes: string[] } | { refused: string };

/** Every name that was known in camel case up to 7.x, in the spelling that stays. */
const namedInCamelCase = new Set(
  (
    'basicDate basicDateTime basicDateTimeNoMillis basicOrdinalDate basicOrdinalDateTime basicOrdinalDateTimeNoMillis ' +
    'basicTime basicTimeNoMillis basicTTime basicTTimeNoMillis basicWeekDate basicWeekDateTime basicWeekDateTimeNoMillis ' +
    'dateHour dateHourMinute dateHourMinuteSecond dateHourMinuteSecondFraction dateHourMinuteSecondMillis dateOptionalTime ' +
    'dateTime dateTimeNoMillis hourMinute hourMinuteSecond hourMinuteSecondFraction hourMinuteSecondMillis ordinalDate ' +
    'ordinalDateTime ordinalDateTimeNoMillis timeNoMillis tTime tTimeNoMillis weekDate weekDateTime weekDateTimeNoMillis ' +
    'weekYear weekyearWeek weekyearWeekDay yearMonth yearMonthDay strictBasicWeekDate strictBasicWeekDateTime ' +
    'strictBasicWeekDateTimeNoMillis strictDate strictDateHour strictDateHourMinute strictDateHourMinuteSecond ' +
    'strictDateHourMinuteSecondFraction strictDateHourMinuteSecondMillis strictDateOptionalTime strictDateTime ' +
    'strictDateTimeNoMillis strictHour strictHourMinute strictHourMinuteSecond strictHourMinuteSecondFraction ' +
    'strictHourMinuteSecondMillis strictOrdinalDate strictOrdinalDateTime strictOrdinalDateTimeNoMillis strictTime ' +
    'strictTimeNoMillis strictTTime strictTTimeNoMillis strictWeekDate strictWeekDateTime strictWeekDateTimeNoMillis ' +
    'strictWeekyear strictWeekyearWeek strictWeekyearWeekDay strictYear strictYearMonth strictYearMonthDay ' +
    'strictDateOptionalTimeNanos epochMillis epochSecond'
  ).split(' '),
);
const names = new Set([...namedInCamelCase].map(toSnakeCase));
for (const name of ['date', 'hour', 'time', 'year', 'weekyear', 'week_year', 'iso8601']) names.add(name);

function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A format, or several with || between them, as a mapping of a typeless server must have it. */
export function adaptDateFormat(format: string, { isJoda }: { isJoda: boolean }): DateFormat {
  const formats: string[] = [];
  const notes: string[] = [];
  for (const part of format.split('||')) {
    const adapted = adaptOne(part, isJoda);
    if ('refused' in adapted) return adapted;
    for (const each of adapted.format.split('||')) if (!formats.includes(each)) formats.push(each);
    notes.push(...adapted.notes);
  }
  const joined = formats.join('||');
  return { format: joined, notes: joined === format ? [] : [...new Set(notes)] };
}

function adaptOne(format: string, isJoda: boolean): DateFormat {
  // how 6.8 is told that a format is java.time's already
  if (format.startsWith('8')) return { format: format.slice(1), notes: ['the prefix 8 means nothing from 7.0 on'] };
  if (namedInCamelCase.has(format)) {
    return { format: toSnakeCase(format), notes: ['names of formats in camel case are gone in 8.0'] };
  }
  if (!isJoda || names.has(format)) return { format, notes: [] };
  return adaptPattern(format);
}

/** Letters with the same meaning in both. */
const sameLetters = 'GDdMEaKhHkmsS';

/** Joda reads a zone offset with and without a colon and Z by one letter: java.time needs a pattern for each. */
const zones: Record<string, string[]> = {
  Z: ['Z', 'XX', 'XXX'],
  ZZ: ['xxx', 'XXX', 'XX'],
};

function adaptPattern(pattern: string): DateFormat {
  let variants = [''];
  const notes: string[] = [];
  const append = (...texts: string[]) => {
    variants = texts.flatMap((text) => variants.map((each) => each + text));
  };
  // a quoted text, a run of one letter, or anything else
  for (const [piece] of pattern.matchAll(/'[^']*'|([A-Za-z])\1*|[^A-Za-z']+|'/g)) {
    const letter = piece.charAt(0);
    if (letter === "'") append(piece);
    else if (!/[A-Za-z]/.test(letter)) append(quoteReserved(piece));
    else if (letter === 'y' || letter === 'Y') {
      if (piece.length === 2) {
        return {
          refused: `${piece} in ${pattern} is two digits of a year: Joda-Time takes the century nearest to now, java.time always 2000 to 2099`,
        };
      }
      append('u'.repeat(piece.length));
      notes.push(`${letter} is the year in Joda-Time, and u in java.time`);
    } else if (letter === 'Z') {
      append(...(zones[piece] ?? ['VV']));
      notes.push('a zone offset is read with a colon, without one, and as Z, as Joda-Time does');
    } else if (letter === 'z' || sameLetters.includes(letter)) append(piece);
    else return { refused: `${piece} in ${pattern} has no equal in java.time: ${whyRefused(letter)}` };
  }
  return { format: variants.join('||'), notes };
}

function whyRefused(letter: string): string {
  if (letter === 'C') return 'centuries of an era are not read there';
  if ('xwe'.includes(letter)) return 'weeks there follow the locale, not ISO 8601; name one of the week_date formats';
  return 'it is no letter of a pattern';
}

/** Plain text to Joda-Time, marks of optional or reserved parts to java.time. */
function quoteReserved(text: string): string {
  return text.replace(/[[\]{}#]+/g, (reserved) => `'${reserved}'`);
}
