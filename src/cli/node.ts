// Which Node everfresh runs on. Imports nothing, so that an older one can say so.

/** As `engines` of package.json has it. */
const LEAST = '22.19';

/** What to tell somebody whose Node is too old; undefined if it isn't. */
export function tooOld(version: string): string | undefined {
  const [major, minor] = numbers(version);
  const [least, leastMinor] = numbers(LEAST);
  if (major > least || (major === least && minor >= leastMinor)) return undefined;
  return `everfresh needs Node ${LEAST} or later; this is ${version}`;
}

function numbers(version: string): readonly [major: number, minor: number] {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return [major, minor];
}
