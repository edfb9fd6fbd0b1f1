// What the scripts that run inside Redis are made of: each first makes sure that this is a primary
// and that the history is the one the epoch was begun in. Nothing here runs by itself.
//
// One hash: format, epoch, begun (why it was), replid, young, lease (the longest of a member, ms),
// rules (of the member that told them last), seq, floor, count (of the t: fields), members (ids
// between spaces), missing (those that were removed and have not come back), asked (who did last to
// join), owners (of writes), t:<tag> (its last touch), m:<id> (a member's beat), w:<owner> (the ids
// of its writes), i:<id> (such a write as JSON).
//
// Of these, whatever its version, everybody may rely on format, epoch, replid, lease, seq and
// floor, and on what a lower or a higher format means: see BUMP.
import { createHash } from 'node:crypto';

export interface Script {
  readonly name: string;
  readonly lua: string;
  readonly sha: string;
}

/** Of the hash, and of the entries' names. A number, counted up. */
export const FORMAT = '1';

const PRIMARY = `
local control, fresh, me, lease = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local info = redis.call('INFO', 'replication')
if not string.find(info, 'role:master', 1, true) then
  return redis.error_reply('READONLY this server is not the primary')
end
`;

// ARGV[1] is the id that a new epoch would get, ARGV[2] the caller's member id, ARGV[3] its lease.
// A caller that begins a new epoch is its first member. Only from INFO can a script learn its
// history. Where somebody else has spoilt the key, no number or no hash at all, one is begun too.
export const PRELUDE = `${PRIMARY}
local history = string.match(info, 'master_replid:(%x+)')
if not history then
  return redis.error_reply('ERR this server does not tell its master_replid')
end
local head = redis.pcall('HMGET', control,
  'format', 'epoch', 'replid', 'seq', 'floor', 'members', 'young', 'lease', 'count')
if head.err and not string.find(head.err, 'WRONGTYPE', 1, true) then return head end
local function count(text)
  return text and #text < 16 and string.find(text, '^%d+$') and tonumber(text)
end
local format, epoch, seq, floor, members, young, leases =
  head[1], head[2], count(head[4]), count(head[5]), head[6] or '', head[7], count(head[8])
if head[3] == history and (tonumber(format or nil) or 0) > ${FORMAT} then
  return redis.error_reply('NEWER the control key has a later format')
end
local function begin(why)
  epoch, seq, floor, members, young, leases = fresh, 0, 0, ' ' .. me .. ' ', fresh, lease
  redis.call('UNLINK', control)
  redis.call('HSET', control, 'format', '${FORMAT}', 'epoch', fresh, 'begun', why,
    'replid', history, 'seq', 0, 'floor', 0, 'count', 0, 'members', members, 'm:' .. me, 1,
    'young', young, 'lease', leases)
end
if head[3] and head[3] ~= history then begin('other-history')
elseif not head.err and not epoch then begin('empty')
elseif format ~= '${FORMAT}' or not (epoch and head[3] and seq and floor and leases)
  or not count(head[9])
then
  begin('damaged')
end
local function get(field) return redis.call('HGET', control, field) end
local function reply(...)
  return { epoch, seq, redis.call('HEXISTS', control, 'm:' .. me), young or '', leases, ... }
end
`;

/** Lists of ids, none of which has a space in it: ' a b '. */
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
`;

/** The lists in the control key. */
export const FIELDS = `
local function save(field, list)
  if list == '' then redis.call('HDEL', control, field)
  else redis.call('HSET', control, field, list) end
end
local function forget(id)
  members = without(members, id)
  redis.call('HSET', control, 'members', members)
  redis.call('HDEL', control, 'm:' .. id)
end
`;

/**
 * Every change of seq is published, in the same script, so that none is ever missing. The writer is
 * who wants to be told that it was heard, or `-`.
 */
export const TOUCHES = (publish: string): string => `
local function send(channel, text) redis.call('${publish}', control .. channel, text) end
local function publish(writer, id, state, refreshes, everything, tags)
  local line = table.concat(
    { 'T', epoch, seq, writer, state, refreshes, everything and 1 or 0, id }, ' ')
  local list = #tags == 0 and '[]' or cjson.encode(tags)
  send(':t', line .. '\\n' .. list)
end
local function touch(writer, id, state, refreshes, everything, tags)
  seq = redis.call('HINCRBY', control, 'seq', 1)
  if everything then redis.call('HSET', control, 'floor', seq) end
  local added = 0
  for _, tag in ipairs(tags) do added = added + redis.call('HSET', control, 't:' .. tag, seq) end
  publish(writer, id, state, refreshes, everything, tags)
  return redis.call('HINCRBY', control, 'count', added)
end
-- Under other rules than those stored, writes may have gone by that reached what was kept.
local function distrust(rules)
  if get('rules') ~= rules then touch('-', '', 'done', 0, true, {}) end
end
`;

export const INTENTS = `
local function intentOf(id)
  local raw = get('i:' .. id)
  return raw and cjson.decode(raw)
end
local function release(id)
  local intent = intentOf(id)
  if not intent then return end
  local writes = without(get('w:' .. intent.owner), id)
  save('w:' .. intent.owner, writes)
  if writes == '' then save('owners', without(get('owners'), intent.owner)) end
  redis.call('HDEL', control, 'i:' .. id)
  return intent
end
local function keep(id, intent)
  release(id)
  redis.call('HSET', control, 'i:' .. id, cjson.encode(intent),
    'w:' .. intent.owner, with(get('w:' .. intent.owner), id),
    'owners', with(get('owners'), intent.owner))
end
local function writesOf(owner, list)
  for id in string.gmatch(get('w:' .. owner) or '', '%S+') do
    list[#list + 1] = id
    list[#list + 1] = owner
  end
  return list
end
local function args(first)
  local list = {}
  for i = first, #ARGV do list[#list + 1] = ARGV[i] end
  return list
end
`;

// ' id=beat' for each member, after the epoch.
export const ROSTERS = `
local function roster()
  local text = epoch
  for id in string.gmatch(members, '%S+') do
    text = text .. ' ' .. id .. '=' .. (get('m:' .. id) or '')
  end
  return text
end
`;

/**
 * What every version does to a hash of a later format: it raises seq and the floor to it. Whoever
 * keeps that hash compares seq within its lease, finds that it knows less, and loads anew; so the
 * caller has to wait for the longest lease.
 */
export const BUMPED = `${PRIMARY}
local seq = redis.call('HINCRBY', control, 'seq', 1)
redis.call('HSET', control, 'floor', seq)
return { redis.call('HGET', control, 'epoch') or '', seq, 0, '',
  tonumber(redis.call('HGET', control, 'lease') or nil) or lease }
`;

export function script(name: string, ...parts: readonly string[]): Script {
  const lua = parts.join('');
  return { name, lua, sha: createHash('sha1').update(lua).digest('hex') };
}
