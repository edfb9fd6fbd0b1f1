// What the scripts that run inside Redis are made of: each first makes sure that this is a primary
// and that the history is the one the epoch was begun in. Nothing here runs by itself.
//
// One hash: format, epoch, replid, rules (of the member that told them last), seq, floor, count
// (of the t: fields), members and intents (ids between spaces), held (ids that hold everything),
// t:<tag> (its last touch), q:<tag> (ids that hold it), i:<id> (an intent as JSON), m:<id> (a
// member's beat).
import { createHash } from 'node:crypto';

export interface Script {
  readonly name: string;
  readonly lua: string;
  readonly sha: string;
}

/** Stands in the keys' names as well, so that versions never meet. */
export const FORMAT = '1';

// ARGV[1] is the id that a new epoch would get, ARGV[2] the caller's member id. A caller that
// begins a new epoch is its first member. Only from INFO can a script learn its history.
export const PRELUDE = `
local control, fresh, me = KEYS[1], ARGV[1], ARGV[2]
local info = redis.call('INFO', 'replication')
if not string.find(info, 'role:master', 1, true) then
  return redis.error_reply('READONLY this server is not the primary')
end
local history = string.match(info, 'master_replid:(%x+)')
if not history then
  return redis.error_reply('ERR this server does not tell its master_replid')
end
local head = redis.call('HMGET', control,
  'format', 'epoch', 'replid', 'seq', 'floor', 'held', 'members')
local epoch, seq, floor, held, members =
  head[2], tonumber(head[4] or nil), tonumber(head[5] or nil), head[6], head[7] or ''
local function begin()
  epoch, seq, floor, held, members = fresh, 0, 0, false, ' ' .. me .. ' '
  redis.call('UNLINK', control)
  redis.call('HSET', control, 'format', '${FORMAT}', 'epoch', fresh, 'replid', history,
    'seq', 0, 'floor', 0, 'count', 0, 'members', members, 'm:' .. me, 1)
end
if head[1] ~= '${FORMAT}' or not epoch or head[3] ~= history or not seq or not floor then
  begin()
end
local function reply(...)
  return { epoch, seq, redis.call('HEXISTS', control, 'm:' .. me), ... }
end
`;

// Lists of ids, none of which has a space in it: ' a b '.
export const LISTS = `
local function with(list, id)
  if not list or list == '' then return ' ' .. id .. ' ' end
  if string.find(list, ' ' .. id .. ' ', 1, true) then return list end
  return list .. id .. ' '
end
local function without(list, id)
  local from, to = string.find(list or '', ' ' .. id .. ' ', 1, true)
  if not from then return list or '' end
  local rest = string.sub(list, 1, from) .. string.sub(list, to + 1)
  if rest == ' ' then return '' end
  return rest
end
local function save(field, list)
  if list == '' then redis.call('HDEL', control, field)
  else redis.call('HSET', control, field, list) end
end
local function get(field) return redis.call('HGET', control, field) end
local function args(first)
  local list = {}
  for i = first, #ARGV do list[#list + 1] = ARGV[i] end
  return list
end
`;

// An intent is held by its name under each of its tags, so that releasing it twice changes nothing.
export const INTENTS = `
local function each(intent, change, id)
  if intent.everything then save('held', change(get('held'), id)) end
  for _, tag in ipairs(intent.tags) do save('q:' .. tag, change(get('q:' .. tag), id)) end
end
local function release(id)
  local raw = get('i:' .. id)
  if not raw then return end
  local intent = cjson.decode(raw)
  if intent.state ~= 'open' then each(intent, without, id) end
  redis.call('HDEL', control, 'i:' .. id)
  save('intents', without(get('intents'), id))
end
local function keep(id, intent)
  release(id)
  if intent.state ~= 'open' then each(intent, with, id) end
  redis.call('HSET', control, 'i:' .. id, cjson.encode(intent),
    'intents', with(get('intents'), id))
end
local function touch(everything, tags)
  seq = redis.call('HINCRBY', control, 'seq', 1)
  if everything then redis.call('HSET', control, 'floor', seq) end
  local added = 0
  for _, tag in ipairs(tags) do added = added + redis.call('HSET', control, 't:' .. tag, seq) end
  return redis.call('HINCRBY', control, 'count', added)
end
`;

// Under other rules than those stored, writes may have gone by that reached what was kept.
export const RULES = `
local function distrust(rules)
  if get('rules') == rules then return end
  seq = redis.call('HINCRBY', control, 'seq', 1)
  redis.call('HSET', control, 'floor', seq)
end
`;

// ' id=beat' for each member, after the epoch.
export const ROSTER = `
local function roster()
  local text = epoch
  for id in string.gmatch(members, '%S+') do
    text = text .. ' ' .. id .. '=' .. (get('m:' .. id) or '')
  end
  return text
end
`;

export function script(name: string, ...parts: readonly string[]): Script {
  const lua = parts.join('');
  return { name, lua, sha: createHash('sha1').update(lua).digest('hex') };
}
