// The story that everfresh exists for, in both of its forms.
import t from 'tap';
import { Barrier, FORMS, inside, json, type Script, stage, until } from '../play.ts';

const RULES = `
routes:
  /posts:
    GET:  { ttl: 1h, query: [page] }
    POST: { refresh: [/posts] }
  /posts/:id:
    GET:    { ttl: 1h }
    PUT:    { refresh: [/posts/:id, /posts] }
    DELETE: { refresh: [/posts/:id, /posts] }
`;

function blog(): { posts: Map<string, string>; script: Script } {
  const posts = new Map([['1', 'one']]);
  return {
    posts,
    script(request, response, body) {
      const id = request.url!.split('?')[0]!.split('/')[2];
      if (request.method === 'POST') {
        posts.set(String(posts.size + 1), (JSON.parse(body) as { title: string }).title);
        return json(
          response, { id: posts.size },
          {
            status: 201,
            headers: { location: `http://${request.headers.host!}/posts/${posts.size}` },
          },
        );
      }
      if (request.method === 'PUT') posts.set(id!, (JSON.parse(body) as { title: string }).title);
      if (request.method === 'DELETE') {
        const there = posts.delete(id!);
        return json(response, {}, { status: there ? 200 : 404 });
      }
      if (id === undefined) return json(response, [...posts]);
      if (!posts.has(id)) return json(response, { error: 'gone' }, { status: 404 });
      return json(response, { id, title: posts.get(id) });
    },
  };
}

for (const form of FORMS) {
  t.test(`${form}: after a write the next read is fresh, others come from the cache`, async (t) => {
    const { script } = blog();
    const s = await stage(t, { form, rules: RULES, script });
    const first = await s.get('/posts');
    t.equal(first.cache, 'everfresh; fwd=uri-miss; stored');
    const second = await s.get('/posts');
    t.match(second.cache, /^everfresh; hit; ttl=3(?:600|599)$/);
    t.equal(second.body, first.body);
    t.equal(s.count('GET /posts'), 1, 'one upstream request for both');

    const post = await s.send('POST', '/posts', { title: 'two' });
    t.equal(post.status, 201);
    t.equal(post.cache, 'everfresh; fwd=method; detail="refreshing=1"');
    t.equal(post.headers.location, `${s.url}/posts/2`, 'the address is the client’s');
    const third = await s.get('/posts');
    t.match(third.body, /two/, 'the new post is there');
    await until(
      async () => /hit/.test((await s.get('/posts')).cache), 'the refreshed list is a hit',
    );
    t.equal(s.count('GET /posts'), 2, 'the refresh was the only other one');
  });

  t.test(`${form}: a deleted post does not come back`, async (t) => {
    const { script } = blog();
    const s = await stage(t, { form, rules: RULES, script });
    t.equal((await s.get('/posts/1')).status, 200);
    t.match((await s.get('/posts')).body, /one/);
    t.equal((await s.send('DELETE', '/posts/1')).status, 200);
    const gone = await s.get('/posts/1');
    t.equal(gone.status, 404);
    t.notMatch((await s.get('/posts')).body, /one/, 'nor does the list name it');
    await until(async () => /hit/.test((await s.get('/posts/1')).cache), 'its absence is kept');
    t.equal((await s.get('/posts/1')).status, 404);
    t.equal((await s.send('DELETE', '/posts/1')).status, 404);
    t.match((await s.get('/posts/1')).cache, /hit/, 'a refused write touches nothing');
  });

  t.test(`${form}: a slow read that began before a write is not used after it`, async (t) => {
    const { script } = blog();
    const slow = new Barrier();
    let first = true;
    const s = await stage(t, {
      form,
      rules: RULES,
      async script(request, response, body) {
        if (request.method !== 'GET' || !first) return script(request, response, body);
        first = false;
        // The answer is made before the write, and comes after it.
        const old = Buffer.from('["old"]');
        await slow.pass();
        response.writeHead(
          200, { 'content-type': 'application/json', 'content-length': old.length },
        );
        return response.end(old);
      },
    });
    const early = s.get('/posts');
    await slow.reached;
    const late = (async () => {
      t.equal((await s.send('POST', '/posts', { title: 'two' })).status, 201);
      const reading = s.get('/posts');
      await inside(s, 2);
      slow.open();
      return reading;
    })();
    t.match((await late).body, /two/, 'who reads after the write sees it');
    t.equal((await early).body, '["old"]', 'who read before may not');
    t.match((await s.get('/posts')).body, /two/, 'and the old answer was never kept');
  });
}
