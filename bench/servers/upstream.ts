// The API behind every proxy of the bench: answers of any size, whose freshness the path says, from
// one buffer each. Takes the port as its argument.
//
// /fresh/N/… may be kept for an hour, with an entity tag · /private/N/… may not · /slow/MS/N/…
// comes after MS milliseconds, and may. N is the body's length in bytes.
import { createServer } from 'node:http';

const bodies = new Map<number, Buffer>();

/** JSON of exactly so many bytes. */
function bodyOf(bytes: number): Buffer {
  let body = bodies.get(bytes);
  if (body === undefined) {
    const frame = '{"text":""}';
    body = Buffer.from(frame.replace('""', `"${'e'.repeat(Math.max(0, bytes - frame.length))}"`));
    bodies.set(bytes, body);
  }
  return body;
}

let requests = 0;
const server = createServer((request, response) => {
  if (request.url === '/requests') {
    response.end(String(requests));
    return;
  }
  requests += 1;
  const [, kind, ...rest] = request.url!.split('/');
  const waits = kind === 'slow' ? Number(rest.shift()) : 0;
  const body = bodyOf(Number(rest[0]));
  const fields = [
    'Content-Type', 'application/json', 'Content-Length', String(body.length),
    'Cache-Control', kind === 'private' ? 'no-store' : 'public, max-age=3600', 'ETag', '"bench"',
  ];
  const answer = (): void => {
    response.writeHead(200, fields).end(body);
  };
  if (waits === 0) answer();
  else setTimeout(answer, waits);
});
server.keepAliveTimeout = 600_000;
server.listen(Number(process.argv[2]), '127.0.0.1');
