// The limit of node:http: one answer from memory, whatever is asked, or asked of an upstream
// through undici's dispatch. Arguments: port, bytes of the body, and the upstream where it is to be
// asked.
import { createServer, type ServerResponse } from 'node:http';
import { Pool } from 'undici';

const [port, bytes, upstream] = process.argv.slice(2);
const body = Buffer.from(`{"text":"${'e'.repeat(Number(bytes) - 11)}"}`);
const fields = [
  'Content-Type', 'application/json', 'Content-Length', String(body.length),
  'Cache-Control', 'public, max-age=3600', 'ETag', '"bench"',
];
const pool = upstream === undefined ? undefined : new Pool(upstream, { connections: 128 });

function forward(from: Pool, path: string, response: ServerResponse): void {
  from.dispatch({ path, method: 'GET' }, {
    onRequestStart: () => undefined,
    onResponseStart(controller, status) {
      const raw = (controller.rawHeaders as Buffer[]).map((part) => part.toString('latin1'));
      response.writeHead(status, raw);
    },
    onResponseData: (_controller, chunk) => void response.write(chunk),
    onResponseEnd: () => void response.end(),
    onResponseError: () => void response.destroy(),
  });
}

createServer((request, response) => {
  if (pool !== undefined) forward(pool, request.url!, response);
  else if (request.headers['if-none-match'] === '"bench"') response.writeHead(304).end();
  else response.writeHead(200, fields).end(body);
}).listen(Number(port), '127.0.0.1');
