// One request to a listener, with every byte of its head under the test's control.
import { request, type IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Replied {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body, parsed; undefined where there is none. */
  readonly json: unknown;
}

export interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export async function call(
  { address, port }: { readonly address: string; readonly port: number },
  line: string,
  { headers = {}, body }: Sent = {},
): Promise<Replied> {
  const [method = 'GET', path = '/'] = line.split(' ');
  const { promise, resolve, reject } = Promise.withResolvers<Replied>();
  const asked = request({ host: address, port, method, path, headers, agent: false });
  asked.on('error', reject);
  asked.on('response', (response) => {
    text(response).then((said) => {
      const { statusCode: status = 0, headers } = response;
      const isJson = /json/.test(headers['content-type'] ?? '') && said !== '';
      const json: unknown = isJson ? JSON.parse(said) : undefined;
      resolve({ status, headers, text: said, json });
    }, reject);
  });
  asked.end(body);
  return promise;
}

export function post(
  where: { readonly address: string; readonly port: number },
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Replied> {
  return call(where, `POST ${path}`, {
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}
