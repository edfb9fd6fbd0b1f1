// HTTP-dates: read in three forms, printed in one.
import t from 'tap';
import { parseHttpDate, printHttpDate } from '../../src/core/http/dates.ts';

const NOW = Date.UTC(2026, 5, 15);
const KNOWN = Date.UTC(1994, 10, 6, 8, 49, 37);

t.test('the three forms of RFC 9110 §5.6.7 mean the same moment', async (t) => {
  for (const text of [
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
    'SUN, 06 nov 1994 08:49:37 gmt',
  ]) t.equal(parseHttpDate(text, NOW), KNOWN, text);
});

t.test('what is in none of the forms is no date', async (t) => {
  for (const text of [
    undefined, '', '0', '-1', '784111777', '1994-11-06T08:49:37Z', 'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 UTC', 'Sun, 06 Nov 1994 08:49:37', 'Sun, 06 Nov 1994 08:49:37 +0000',
    'Sun, 06 Nov 1994 24:00:00 GMT', 'Sun, 06 Nov 1994 08:60:00 GMT',
    'Sun, 31 Feb 2025 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT', 'Sun, 29 Feb 2025 08:49:37 GMT',
    'Xyz, 06 Nov 1994 08:49:37 GMT',
    'Sun, 06-Nov-94 08:49:37 GMT', 'Sun, 06 Nov 1994 8:49:37 GMT', ' Sun, 06 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT', 'Sun Nov 6 08:49:37 1994',
  ]) t.equal(parseHttpDate(text, NOW), undefined, String(text));
});

t.test('a leap day, a leap second and a far year are dates', async (t) => {
  t.equal(parseHttpDate('Thu, 29 Feb 2024 00:00:00 GMT', NOW), Date.UTC(2024, 1, 29));
  t.equal(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT', NOW), Date.UTC(2017, 0, 1));
  t.ok(parseHttpDate('Fri, 31 Dec 9999 23:59:59 GMT', NOW)! > NOW);
  t.ok(parseHttpDate('Mon, 01 Jan 0001 00:00:00 GMT', NOW)! < 0);
});

t.test('a year of two digits is at most 50 years ahead', async (t) => {
  const year = (digits: string, now = NOW) =>
    new Date(parseHttpDate(`Monday, 01-Jan-${digits} 00:00:00 GMT`, now)!).getUTCFullYear();
  t.equal(year('26'), 2026);
  t.equal(year('76'), 2076);
  t.equal(year('77'), 1977);
  t.equal(year('99'), 1999);
  t.equal(year('00'), 2000);
  t.equal(year('10', Date.UTC(2080, 0, 1)), 2110);
});

t.test('what is printed is read again', async (t) => {
  t.equal(printHttpDate(KNOWN + 999), 'Sun, 06 Nov 1994 08:49:37 GMT');
  for (const ms of [0, KNOWN, NOW, Date.UTC(2099, 11, 31, 23, 59, 59)]) {
    t.equal(parseHttpDate(printHttpDate(ms), NOW), ms);
  }
});
