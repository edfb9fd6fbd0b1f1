// The API behind every proxy of the bench: answers of any size, whose freshness the path says. On
// bare sockets, so that it is never what a proxy waits for. Takes the port as its argument.
//
// /fresh/N/… may be kept for an hour, with an entity tag · /private/N/… may not · /slow/MS/N/…
// comes after MS milliseconds, and may · /requests says how many came; N: bytes of the body
import { createServer, type Socket } from 'node:net';

const answers = new Map<string, Buffer>();
let requests = 0;

function answerTo(kind: string, bytes: number): Buffer {
  const id = `${kind} ${bytes}`;
  let answer = answers.get(id);
  if (answer === undefined) {
    const frame = '{"text":""}';
    const body = frame.replace('""', `"${'e'.repeat(Math.max(0, bytes - frame.length))}"`);
    const freshness = kind === 'private' ? 'no-store' : 'public, max-age=3600';
    answer = asBytes(body, `Cache-Control: ${freshness}\r\nETag: "bench"\r\n`);
    answers.set(id, answer);
  }
  return answer;
}

function asBytes(body: string, more = ''): Buffer {
  return Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
    + `Content-Length: ${body.length}\r\n${more}Connection: keep-alive\r\n\r\n${body}`, 'latin1');
}

/** To one request without a body. */
function answer(socket: Socket, head: string): void {
  const [, path = ''] = head.split(' ', 2);
  if (path === '/requests') return void socket.write(asBytes(String(requests)));
  requests += 1;
  const [, kind = '', ...rest] = path.split('/');
  const waits = kind === 'slow' ? Number(rest.shift()) : 0;
  const bytes = answerTo(kind, Number(rest[0]));
  if (waits === 0) socket.write(bytes);
  else setTimeout(() => socket.destroyed || socket.write(bytes), waits);
}

createServer({ noDelay: true }, (socket) => {
  let open = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    const heads = (open + chunk.toString('latin1')).split('\r\n\r\n');
    open = heads.pop()!;
    for (const head of heads) answer(socket, head);
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
