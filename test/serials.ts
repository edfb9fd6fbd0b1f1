// An upstream for stories of writes: each answer to a GET is a new serial, so that an answer that
// was fetched again is known by its body, whatever was written.
import { json, type Script, type Stage } from './play.ts';

/** Answers writes with `write`, or with 200 and an empty object. */
export function serials(write?: Script): Script {
  let serial = 0;
  return (request, response, body) => {
    if (request.method === 'GET') return json(response, { serial: serial += 1, url: request.url });
    if (write !== undefined) return write(request, response, body);
    return json(response, {});
  };
}

/** Which of these paths are answered anew after the act; all are read, and so kept, before it. */
export async function renewed(
  s: Stage,
  paths: readonly string[],
  act: () => Promise<unknown>,
): Promise<string[]> {
  const read = (): Promise<string[]> => Promise.all(
    paths.map(async (path) => (await s.get(path)).body),
  );
  await read();
  const before = await read();
  await act();
  const after = await read();
  return paths.filter((_, i) => before[i] !== after[i]);
}
