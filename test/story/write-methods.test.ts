// Which requests are writes: every method that is not safe by its definition.
import t from 'tap';
import { FORMS, stage } from '../play.ts';
import { renewed, serials } from '../serials.ts';

const RULES = `
conventions: off
routes:
  /posts/:id:
    GET:    { ttl: 1h }
    POST:   {}
    PATCH:  { refresh: [/list] }
    DELETE: { refresh: [/bin] }
  /list: { GET: { ttl: 1h } }
  /bin:  { GET: { ttl: 1h } }
`;
const ALL = ['/posts/1', '/list', '/bin'];

for (const form of FORMS) {
  t.test(`${form}: every method that is not safe is a write`, async (t) => {
    const s = await stage(t, { form, rules: RULES, script: serials() });
    t.same(
      await renewed(s, ALL, () => s.send('PATCH', '/posts/1', { title: 'x' })),
      ['/posts/1', '/list'],
    );
    // An application around the plugin has its own say about methods beyond these.
    const more = form === 'gateway' ? ['PURGE', 'M-SEARCH', 'LINK', 'LOCK', 'PROPPATCH'] : [];
    for (const method of ['PUT', ...more]) {
      t.same(await renewed(s, ALL, async () => {
        t.equal((await s.send(method, '/posts/1')).status, 200);
      }), ['/posts/1'], method);
      t.equal(s.count(`${method} /posts/1`), 1, 'and forwarded once');
    }
  });

  t.test(`${form}: a safe method touches nothing`, async (t) => {
    const s = await stage(t, { form, rules: RULES, script: serials() });
    for (const method of ['OPTIONS', 'HEAD', ...(form === 'gateway' ? ['QUERY'] : [])]) {
      t.same(await renewed(s, ALL, () => s.send(method, '/posts/1')), [], method);
    }
    t.equal(s.count('OPTIONS /posts/1'), 1, 'OPTIONS is passed on');
  });
}

for (const field of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
  t.test(`a POST that ${field} makes a DELETE reaches what both name`, async (t) => {
    const s = await stage(t, { rules: RULES, script: serials() });
    t.same(
      await renewed(s, ALL, () => s.send('POST', '/posts/1', undefined, { [field]: 'delete' })),
      ['/posts/1', '/bin'],
    );
    t.same(
      await renewed(s, ALL, () => s.send('POST', '/posts/1', undefined, { [field]: 'GET' })),
      ['/posts/1'],
    );
  });
}
