// @fastify/http-proxy as its README has it. Arguments: port, upstream.
import proxy from '@fastify/http-proxy';
import Fastify from 'fastify';

const [port, upstream] = process.argv.slice(2);
const app = Fastify();
await app.register(proxy, { upstream: upstream! });
await app.listen({ port: Number(port), host: '127.0.0.1' });
