// An API whose answers change: each PUT gives its path's post the next version, and says which.
// A GET reads the version, and then takes so many milliseconds before it answers with it, so that a
// write may overtake it. Arguments: port, milliseconds of a GET.
//
// It says nothing of how long an answer may be kept. /requests tells how many it has answered.
import { createServer, type ServerResponse } from 'node:http';

const [port, readMs] = process.argv.slice(2).map(Number);
const versions = new Map<string, number>();
const text = 'e'.repeat(1000);
let requests = 0;

function answer(response: ServerResponse, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(200, [
    'Content-Type', 'application/json', 'Content-Length', String(bytes.length),
  ]).end(bytes);
}

const server = createServer((request, response) => {
  if (request.url === '/requests') {
    response.end(String(requests));
    return;
  }
  requests += 1;
  const [path = ''] = request.url!.split('?', 1);
  if (request.method === 'GET') {
    const version = versions.get(path) ?? 0;
    const say = (): void => answer(response, { version, text });
    if (readMs === 0) say();
    else setTimeout(say, readMs);
    return;
  }
  request.resume().on('end', () => {
    const version = (versions.get(path) ?? 0) + 1;
    versions.set(path, version);
    answer(response, { version });
  });
});
server.keepAliveTimeout = 600_000;
server.listen(port, '127.0.0.1');
