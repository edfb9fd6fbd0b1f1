// The scripts that run inside Redis: the control part of the promise, each step atomic. Values
// reach them as KEYS and ARGV only. Each is safe when repeated, late or reordered, and each first
// makes sure that this is a primary and that the history is the one the epoch was begun in.
//
// One hash: format, epoch, replid, seq, floor, count (of the t: fields), members and intents (ids
// between spaces), held (ids that hold everything), t:<tag> (its last touch), q:<tag> (ids that
// hold it), i:<id> (an intent as JSON), m:<id> (a member's beat).
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
const PRELUDE = `
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
const LISTS = `
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
const INTENTS = `
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

// ' id=beat' for each member, after the epoch.
const ROSTER = `
local function roster()
  local text = epoch
  for id in string.gmatch(members, '%S+') do
    text = text .. ' ' .. id .. '=' .. (get('m:' .. id) or '')
  end
  return text
end
`;

function script(name: string, ...parts: readonly string[]): Script {
  const lua = parts.join('');
  return { name, lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/** ARGV[3…]: tags. Adds the newest touch of any of them, and whether one is held. */
export const LOOK = script('look', PRELUDE, `
local newest, holds = floor, held and 1 or 0
for first = 3, #ARGV, 500 do
  local fields = {}
  for i = first, math.min(first + 499, #ARGV) do
    fields[#fields + 1] = 't:' .. ARGV[i]
    fields[#fields + 1] = 'q:' .. ARGV[i]
  end
  local values = redis.call('HMGET', control, unpack(fields))
  for i = 1, #fields, 2 do
    if values[i] then newest = math.max(newest, tonumber(values[i])) end
    if values[i + 1] then holds = 1 end
  end
end
return reply(newest, holds)
`);

/** ARGV[3]: id, ARGV[4…]: tags. An intent that is there already only changes its owner. */
export const INTEND = script('intend', PRELUDE, LISTS, INTENTS, `
local raw = get('i:' .. ARGV[3])
if raw then
  local intent = cjson.decode(raw)
  intent.owner = me
  redis.call('HSET', control, 'i:' .. ARGV[3], cjson.encode(intent))
else
  keep(ARGV[3], { owner = me, state = 'open', tags = args(4) })
end
return reply()
`);

/** ARGV[3]: id. */
export const ABANDON = script('abandon', PRELUDE, LISTS, INTENTS, `
release(ARGV[3])
return reply()
`);

/** ARGV[3]: id or nothing, [4]: then, [5]: '1' for everything, [6…]: tags. Adds the t: fields. */
export const TOUCH = script('touch', PRELUDE, LISTS, INTENTS, `
local everything, tags = ARGV[5] == '1', args(6)
local count = touch(everything, tags)
if ARGV[3] ~= '' then
  if ARGV[4] == 'done' then release(ARGV[3])
  else keep(ARGV[3], { owner = me, state = ARGV[4], everything = everything, tags = tags }) end
end
return reply(count)
`);

/** What a touch reaches, as the arguments that end TOUCH. */
export function reaching(tags: readonly string[] | 'everything'): readonly string[] {
  return tags === 'everything' ? ['1'] : ['0', ...tags];
}

/**
 * ARGV[3]: how. `ask` enters where everybody left, `enter` if the epoch is still ARGV[4],
 * `new-epoch` begins one if the roster is still ARGV[4]. Adds the roster.
 */
export const JOIN = script('join', PRELUDE, LISTS, ROSTER, `
if redis.call('HEXISTS', control, 'm:' .. me) == 0 then
  if ARGV[3] == 'new-epoch' and ARGV[4] == roster() then
    begin()
  elseif members == '' or (ARGV[3] == 'enter' and ARGV[4] == epoch) then
    members = with(members, me)
    redis.call('HSET', control, 'members', members, 'm:' .. me, 1)
  end
end
return reply(roster())
`);

/** Adds the roster, and the intents as a list: id, JSON, id, JSON, and so on. */
export const BEAT = script('beat', PRELUDE, LISTS, ROSTER, `
if redis.call('HEXISTS', control, 'm:' .. me) == 1 then
  redis.call('HINCRBY', control, 'm:' .. me, 1)
end
local list = {}
for id in string.gmatch(get('intents') or '', '%S+') do
  list[#list + 1] = id
  list[#list + 1] = get('i:' .. id) or ''
end
return reply(roster(), list)
`);

/** Leaves cleanly. Its intents stay, for whoever sweeps. */
export const LEAVE = script('leave', PRELUDE, LISTS, `
redis.call('HSET', control, 'members', without(members, me))
redis.call('HDEL', control, 'm:' .. me)
return reply()
`);

/**
 * ARGV[3]: an intent, [4]: its owner, [5]: that one's beat, or nothing, when last seen. Takes the
 * intent over and touches its tags, unless something moved. Adds its JSON where it was taken.
 */
export const TAKE = script('take', PRELUDE, LISTS, INTENTS, `
local raw = get('i:' .. ARGV[3])
if not raw then return reply() end
local intent = cjson.decode(raw)
if intent.owner ~= ARGV[4] then return reply() end
if ARGV[4] ~= me and (get('m:' .. ARGV[4]) or '') ~= ARGV[5] then return reply() end
touch(intent.everything, intent.tags)
keep(ARGV[3], { owner = me, state = 'unknown', everything = intent.everything, tags = intent.tags })
return reply(raw)
`);

/** ARGV[3]: a member that is gone and owns nothing any more, [4]: its beat when last seen. */
export const FORGET = script('forget', PRELUDE, LISTS, `
if ARGV[3] ~= me and get('m:' .. ARGV[3]) == ARGV[4] then
  redis.call('HSET', control, 'members', without(members, ARGV[3]))
  redis.call('HDEL', control, 'm:' .. ARGV[3])
end
return reply()
`);

/**
 * ARGV[3]: how many touches may be remembered. Where there are more, raises the floor to the median
 * of a sample. Adds how many there are.
 */
export const RAISE = script('raise', PRELUDE, `
local count = tonumber(redis.call('HGET', control, 'count') or '0') or 0
if count > tonumber(ARGV[3]) then
  local sample = redis.call('HRANDFIELD', control, 400, 'WITHVALUES')
  local touches = {}
  for i = 1, #sample, 2 do
    if string.sub(sample[i], 1, 2) == 't:' then touches[#touches + 1] = tonumber(sample[i + 1]) end
  end
  table.sort(touches)
  local median = touches[math.max(1, math.floor(#touches / 2))]
  if median and median > floor then redis.call('HSET', control, 'floor', median) end
end
return reply(count)
`);

/** ARGV[3]: a cursor. Removes, of the next few fields, touches no newer than the floor. */
export const DROP = script('drop', PRELUDE, `
local page = redis.call('HSCAN', control, ARGV[3], 'MATCH', 't:*', 'COUNT', 500)
local fields, dropped = page[2], 0
for i = 1, #fields, 2 do
  if tonumber(fields[i + 1]) <= floor then
    dropped = dropped + redis.call('HDEL', control, fields[i])
  end
end
-- Never of nothing: a negative zero is no integer to the server.
if dropped > 0 then redis.call('HINCRBY', control, 'count', -dropped) end
return reply(page[1])
`);

/** KEYS[1]: an entry. ARGV: bytes, life in ms, epoch, asOf. An older one never replaces. */
export const PUT = script('put', `
local line = redis.call('GETRANGE', KEYS[1], 0, 159)
local epoch, asOf = string.match(line, '^EVF1 (%S+) (%d+) ')
if epoch == ARGV[3] and tonumber(asOf) > tonumber(ARGV[4]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);
