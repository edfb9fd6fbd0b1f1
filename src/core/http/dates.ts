// Dates as HTTP writes them (RFC 9110 §5.6.7), read in all three forms and printed in the one that
// may be sent. Never guesses: what is in none of the forms is no date.

const DAY = '(?:mon|tue|wed|thu|fri|sat|sun)';
const LONG_DAY = '(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)';
const MONTH = '(?<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)';
const MONTHS = [
  'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec',
];
const TIME = '(?<hour>[01]\\d|2[0-3]):(?<minute>[0-5]\\d):(?<second>[0-5]\\d|60)';

// RFC 9111 §4.2: "Although all date formats are specified to be case-sensitive, a cache recipient
// SHOULD match the field value case-insensitively." A zone other than GMT makes it invalid. The
// name of the day must be one; the grammar doesn't bind it to the date.
const FORMS = [
  // IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(`^${DAY}, (?<day>\\d{2}) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`, 'i'),
  // RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(`^${LONG_DAY}, (?<day>\\d{2})-${MONTH}-(?<year>\\d{2}) ${TIME} GMT$`, 'i'),
  // asctime: Sun Nov  6 08:49:37 1994
  new RegExp(`^${DAY} ${MONTH} (?<day>\\d{2}| \\d) ${TIME} (?<year>\\d{4})$`, 'i'),
];

/** Wall-clock milliseconds of an HTTP-date; undefined where the text is none. */
export function parseHttpDate(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  for (const form of FORMS) {
    const found = form.exec(text)?.groups;
    if (found === undefined) continue;
    const month = MONTHS.indexOf(found['month']!.toLowerCase());
    const day = Number(found['day']);
    const time = [found['hour'], found['minute'], found['second']].map(Number);
    const at = (year: number) => instant([year, month, day], time);
    if (found['year']!.length === 4) return at(Number(found['year']));
    return fromTwoDigits(Number(found['year']), at, now);
  }
  return undefined;
}

/** The IMF-fixdate of wall-clock milliseconds, to the second below. */
export function printHttpDate(ms: number): string {
  return new Date(ms).toUTCString();
}

// RFC 9110 §5.6.7: "Recipients of a timestamp value in rfc850-date format, which uses a two-digit
// year, MUST interpret a timestamp that appears to be more than 50 years in the future as
// representing the most recent year in the past that had the same last two digits."
function fromTwoDigits(
  digits: number,
  at: (year: number) => number | undefined,
  now: number,
): number | undefined {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + 100 + digits;
  const bound = new Date(now);
  bound.setUTCFullYear(thisYear + 50);
  const candidates = [year, year - 100, year - 200];
  return candidates.map(at).find((ms) => ms !== undefined && ms <= bound.getTime());
}

// Undefined for a day that its month doesn't have; a leap second counts as the next one.
function instant(date: readonly number[], time: readonly number[]): number | undefined {
  const [year, month, day] = date as [number, number, number];
  const [hour, minute, second] = time as [number, number, number];
  const moment = new Date(0);
  moment.setUTCFullYear(year, month, day);
  if (moment.getUTCMonth() !== month) return undefined;
  return moment.setUTCHours(hour, minute, second);
}
