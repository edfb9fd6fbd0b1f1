// What somebody would write by hand: node:http that asks Redis for each answer's body by its path,
// and sends it with fields that never change. Arguments: port, bytes of the body, Redis's port.
import { createServer } from 'node:http';
import { Redis } from 'ioredis';

const [port, bytes, redisPort] = process.argv.slice(2);
const redis = new Redis({ host: '127.0.0.1', port: Number(redisPort) });
const body = `{"text":"${'e'.repeat(Number(bytes) - 11)}"}`;
await redis.set(`bare:/fresh/${bytes}/one`, body);

createServer((request, response) => {
  redis.getBuffer(`bare:${request.url!}`).then((found) => {
    if (found === null) response.writeHead(404).end();
    else {
      response.writeHead(200, [
        'Content-Type', 'application/json', 'Content-Length', String(found.length),
        'Cache-Control', 'public, max-age=3600', 'ETag', '"bench"',
      ]).end(found);
    }
  }, () => response.writeHead(502).end());
}).listen(Number(port), '127.0.0.1');
