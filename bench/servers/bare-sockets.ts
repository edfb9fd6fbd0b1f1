// The limit of this runtime: the same bytes for every request head on a bare socket, with no HTTP
// at all. Arguments: port, bytes of the body.
import { createServer } from 'node:net';

const [port, bytes] = process.argv.slice(2);
const body = `{"text":"${'e'.repeat(Number(bytes) - 11)}"}`;
const answer = Buffer.from([
  'HTTP/1.1 200 OK', 'Content-Type: application/json', `Content-Length: ${body.length}`,
  'Cache-Control: public, max-age=3600', 'ETag: "bench"', '', body,
].join('\r\n'));

createServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    for (let at = chunk.indexOf('\r\n\r\n'); at >= 0; at = chunk.indexOf('\r\n\r\n', at + 4)) {
      socket.write(answer);
    }
  });
}).listen(Number(port), '127.0.0.1');
